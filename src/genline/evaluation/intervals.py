"""Interval mathematics, all of it: standard errors, intervals, and differences of two estimates.

The bootstrap is Efron and Tibshirani's (1993, chapters 6 and 13), the delete-a-group jackknife
Shao and Tu's (1995, section 2.3). One rule for every estimated standard error: the interval is
Student's t with the degrees of freedom that the error was estimated with, and an error put together
from several has those of Welch (1947) and Satterthwaite (1946). Only numpy is imported, so that
whoever compares two stored figures can do so cheaply.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from genline.core.arrays import Floats, Ids
from genline.core.seeds import numpy_generator

RESAMPLES = 1000
CONFIDENCE = 0.95

Statistic = Callable[[Ids], float]


@dataclass(frozen=True)
class Spread:
    """How far an estimate may be off: its standard error and the ends of its 95 % interval.

    ``degrees``: degrees of freedom of the standard error, infinite for a bootstrap's.
    """

    standard_error: float
    low: float
    high: float
    degrees: float = math.inf

    def within(self, least: float = -math.inf, most: float = math.inf) -> Spread:
        """The interval cut to what the figure can be, for display.

        The standard error is that of the estimate and stays: a cut interval says nothing of it.
        """
        low, high = (min(max(end, least), most) for end in (self.low, self.high))
        return replace(self, low=low, high=high)


@dataclass(frozen=True)
class Error:
    """A standard error and its degrees of freedom, infinite where it is as good as known."""

    size: float
    degrees: float = math.inf

    def around(self, value: float) -> Spread:
        """``value`` ± t standard errors."""
        return student(value, self.size, self.degrees)


def student(value: float, error: float, degrees: float) -> Spread:
    """``value`` ± t standard errors, for an error estimated with so many degrees of freedom.

    They may be a fraction, or infinite: then t is the normal distribution's 1.96.
    """
    half = _student_quantile(degrees) * error
    return Spread(error, value - half, value + half, degrees)


def combined(*errors: Error) -> Error:
    """The standard error of a sum or difference of independent estimates with these errors.

    Its degrees of freedom are (Σ sᵢ²)² / Σ (sᵢ⁴ / νᵢ), those of Welch and Satterthwaite: never
    fewer than the fewest of any part, and nearest to those of the largest part.
    """
    whole = math.hypot(*(error.size for error in errors))
    if not whole:
        return Error(0.0)
    weight = sum((error.size / whole) ** 4 / error.degrees for error in errors)
    return Error(whole, 1 / weight if weight else math.inf)


def prediction(values: Floats, shared: float = 0.0) -> Spread:
    """Where one more draw like ``values`` (n,), n ≥ 2, lies: mean ± t·s·√(1 + 1/n).

    Student's t with n − 1 degrees of freedom and s the sample standard deviation (Hahn and Meeker,
    1991, section 4.3). The extreme quantiles of a few draws would cover too little.

    ``shared``: where each value is of a random subset of one finite split, the subset's share f of
    it, in [0, 1); the interval is that of a fresh set of as many items, not of one more subset.
    Subsets overlap, so their spread s² is only 1 − f of that of fresh sets, σ² (the correction for
    a finite population: Cochran, 1977, section 2.6), and the split itself, which all of them share,
    is off by a further f·σ²: mean ± t·s·√((1 + f)/(1 − f) + 1/n). Exact for means, near for
    figures that are smooth in the items.
    """
    n = len(values)
    fresh = (1 + shared) / (1 - shared)
    error = float(values.std(ddof=1)) * math.sqrt(fresh + 1 / n)
    return student(float(values.mean()), error, n - 1)


def bootstrap_statistic(
    statistic: Statistic,
    count: int,
    random: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Spread:
    """The percentile interval of a statistic over ``count`` items drawn again with replacement.

    ``statistic`` is given int64 (count,) indices of a resample and returns its value; the
    standard error is the standard deviation of these values.
    """
    values = np.array([statistic(random.integers(0, count, count)) for _ in range(resamples)])
    low, high = percentiles(values, confidence)
    return Spread(float(values.std(ddof=1)), low, high)


def bootstrap_mean(
    values: npt.ArrayLike,
    random: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Spread:
    """The interval of the mean of ``values`` (n,), its items drawn again with replacement."""
    array = np.asarray(values, np.float64)
    return bootstrap_statistic(
        lambda chosen: float(array[chosen].mean()), len(array), random, resamples, confidence
    )


def paired_bootstrap(
    first: Statistic,
    second: Statistic,
    count: int,
    random: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Spread:
    """The interval of ``first`` less ``second``, both over the same ``count`` items.

    Each resample's items are given to both, so what the two have in common cancels: the error is
    that of the difference item by item, not of two independent estimates.
    """
    return bootstrap_statistic(
        lambda chosen: first(chosen) - second(chosen), count, random, resamples
    )


def percentiles(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The central share ``confidence`` of ``values`` (n,): its lower and upper end."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def leave_out(count: int, groups: int) -> Iterator[Ids]:
    """int64 indices of ``count`` items without one of ``groups`` equal groups, for each in turn.

    The groups are drawn at random, since neighbours in a split may be alike, and depend on the
    two numbers alone: figures of the same items leave the same groups out. There are never more
    groups than items.
    """
    order = numpy_generator(0, "groups", count, groups).permutation(count)
    for part in np.array_split(order, min(groups, count)):
        yield np.delete(np.arange(count), part)


def jackknife_error(left_out: Sequence[float] | Floats) -> float:
    """The standard error from a figure's values with each of n equal groups left out, (n,).

    √((n − 1)/n · Σ (θᵢ − θ̄)²), of single items as of groups. For a difference of two estimates on
    the same items, give the differences of their values with the same group left out.
    """
    values = np.asarray(left_out, np.float64)
    count = len(values)
    return math.sqrt((count - 1) / count * float(np.square(values - values.mean()).sum()))


def jackknifed(left_out: Sequence[float] | Floats) -> Error:
    """:func:`jackknife_error` of n ≥ 2 groups, with its n − 1 degrees of freedom."""
    return Error(jackknife_error(left_out), len(left_out) - 1)


def _student_quantile(degrees: float) -> float:
    # Not scipy.stats, which takes half a second to import.
    from scipy.special import ndtri, stdtrit

    share = 0.5 + CONFIDENCE / 2
    return float(ndtri(share) if math.isinf(degrees) else stdtrit(degrees, share))
