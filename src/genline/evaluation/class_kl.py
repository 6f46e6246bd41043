"""KL between the classes of generated and of real images: dropped modes show here first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genline.core.arrays import Floats

_SMOOTHING = 0.5  # added to every count: a class the real images lack must not give infinity

Labels = npt.NDArray[np.int64]


def class_shares(labels: Labels, classes: int) -> Floats:
    """The share of each class among ``labels`` (n,), as counted: (classes,)."""
    return np.bincount(labels, minlength=classes) / len(labels)


def class_kl(generated: Labels, real: Labels, classes: int) -> float:
    """KL(generated ‖ real) of the class histograms, nats; half a count is added to each class.

    generated: (n,) and real: (m,), both as the evaluator predicts them.
    """
    p, q = (_smoothed(labels, classes) for labels in (generated, real))
    return float((p * np.log(p / q)).sum())


def _smoothed(labels: Labels, classes: int) -> Floats:
    counts = np.bincount(labels, minlength=classes) + _SMOOTHING
    shares: Floats = counts / counts.sum()
    return shares
