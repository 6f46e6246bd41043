"""Intervals: the bootstrap by percentiles (Efron and Tibshirani, 1993, chapter 13), and Student's
for one more draw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
CONFIDENCE = 0.95

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Interval = tuple[float, float]


def bootstrap_statistic(
    statistic: Callable[[Indices], float],
    count: int,
    random: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of a statistic over ``count`` items drawn again with replacement.

    ``statistic`` is given int64 (count,) indices of a resample and returns its value.
    """
    values = [statistic(random.integers(0, count, count)) for _ in range(resamples)]
    return percentiles(np.asarray(values, np.float64), confidence)


def bootstrap_mean(
    values: npt.ArrayLike,
    random: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of the mean of ``values`` (n,), its items drawn again with replacement."""
    array = np.asarray(values, np.float64)
    return bootstrap_statistic(
        lambda chosen: float(array[chosen].mean()), len(array), random, resamples, confidence
    )


def prediction(values: Floats, confidence: float = CONFIDENCE) -> Interval:
    """Where one more draw like ``values`` (n,), n ≥ 2, lies: mean ± t·s·√(1 + 1/n).

    Student's t with n − 1 degrees of freedom and s the sample standard deviation (Hahn and Meeker,
    1991, section 4.3). The extreme quantiles of a few draws would cover too little.
    """
    from scipy.stats import t

    n = len(values)
    half = float(t.ppf(0.5 + confidence / 2, n - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / n))
    return float(values.mean()) - half, float(values.mean()) + half


def percentiles(values: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The central share ``confidence`` of ``values`` (n,): its lower and upper end."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
