"""Nearest neighbours among features, a block of rows at a time: never an N × N matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genline.core.arrays import Floats

_BLOCK = 1024  # rows compared together


def distance_blocks(x: Floats, y: Floats, block: int = _BLOCK) -> Iterator[tuple[slice, Floats]]:
    """Euclidean distances of rows of x (n, d) to all of y (m, d): (rows, float64 (≤ block, m))."""
    norms = np.square(y).sum(axis=1)
    for start in range(0, len(x), block):
        part = x[start : start + block]
        squared = np.square(part).sum(axis=1)[:, None] + norms - 2 * part @ y.T
        # Rounding can leave the square of a zero distance a little below zero.
        yield slice(start, start + len(part)), np.sqrt(np.maximum(squared, 0))


def nearest(x: Floats, y: Floats) -> Floats:
    """The distance of each row of x (n, d) to the nearest row of y (m, d): (n,)."""
    return np.concatenate([distances.min(axis=1) for _, distances in distance_blocks(x, y)])


def radii(x: Floats, k: int) -> Floats:
    """The distance of each row of x (n, d) to its k-th nearest other row, k < n: (n,)."""
    found = [np.partition(distances, k, axis=1)[:, k] for _, distances in distance_blocks(x, x)]
    return np.concatenate(found)
