"""KID: the unbiased squared maximum mean discrepancy with a cubic kernel.

Bińkowski et al., 2018, section 4. It has no bias in the number of samples, so it may be slightly
negative where two sets are alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genline.core.arrays import Floats

_BLOCK = 1024  # rows compared together


def cubic_kernel(x: Floats, y: Floats) -> Floats:
    """(xᵀy / d + 1)³ for all pairs of x (n, d) and y (m, d): float64 (n, m)."""
    base: Floats = x @ y.T / x.shape[1] + 1
    return base * base * base  # many times faster than a power


def kernel_distance(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The unbiased MMD² of features x (n, d) and y (m, d), n, m ≥ 2."""
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return _within(first) + _within(second) - 2 * _total(first, second) / (len(first) * len(second))


def _within(x: Floats) -> float:
    """The mean kernel value of two different rows of x (n, d)."""
    n = len(x)
    diagonal = float(((np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3).sum())
    return (_total(x, x) - diagonal) / (n * (n - 1))


def _total(x: Floats, y: Floats) -> float:
    """The sum of all kernel values, a block of rows at a time."""
    blocks = (x[start : start + _BLOCK] for start in range(0, len(x), _BLOCK))
    return sum(float(cubic_kernel(block, y).sum()) for block in blocks)
