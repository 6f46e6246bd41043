"""Pairs of rows that may be near copies, for a closer look: some of the rows are tried, not all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

_KEPT = 8  # pairs of each place on our side
_SLACK = 3  # waves that are left out may hold this share of what two images differ in
_BLOCK = 2**24  # products held at once


def of_waves(
    ours: npt.NDArray[np.float32], others: npt.NDArray[np.float32], similar: float
) -> tuple[Rows, Rows]:
    """Pairs of places in ``ours`` (n, waves) and ``others`` (m, waves) whose product is large.

    Of rows of length 1: those that reach ``similar``, less what the waves that are not among them
    may add. Of each place in ``ours`` the few largest.
    """
    least = 1 - _SLACK * (1 - similar)
    step = max(1, _BLOCK // max(len(others), 1))
    found: list[tuple[Rows, Rows]] = []
    for start in range(0, len(ours), step):
        products = ours[start : start + step] @ others.T
        for i in np.flatnonzero(products.max(axis=1, initial=-1) >= least).tolist():
            j = np.flatnonzero(products[i] >= least)
            j = j[np.argsort(-products[i, j], kind="stable")[:_KEPT]]
            found.append((np.full(len(j), start + i), j))
    return _joined(found)


def of_bands(ours: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]) -> tuple[Rows, Rows]:
    """Pairs of places in ``ours`` (n, bands) and ``others`` (m, bands) that agree in a band.

    Of each place in ``ours`` and each band the first few.
    """
    found = [_equal(ours[:, band], others[:, band]) for band in range(ours.shape[1])]
    i, j = _joined(found)
    pairs = np.unique(np.stack([i, j], 1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _equal(ours: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]) -> tuple[Rows, Rows]:
    order = np.argsort(others, kind="stable")
    ranked = others[order]
    first = np.searchsorted(ranked, ours, "left")
    counts = np.minimum(np.searchsorted(ranked, ours, "right") - first, _KEPT)
    i = np.repeat(np.arange(len(ours)), counts)
    within = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
    return i, order[first[i] + within]


def _joined(found: list[tuple[Rows, Rows]]) -> tuple[Rows, Rows]:
    none = np.zeros(0, np.int64)
    i, j = zip((none, none), *found, strict=True)
    return np.concatenate(i), np.concatenate(j)
