"""Which of many keys are equal, in little memory beside them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_TOGETHER = 2**20  # keys that are sorted at a time, about


def first_of_equal(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The index of the first key equal to each, int64 (n,). keys: uint64 (n,), such as hashes."""
    first = np.arange(len(keys))
    slices = np.uint64(-(-len(keys) // _TOGETHER) or 1)
    # Equal keys are in one slice, whichever it is.
    for number in range(int(slices)):
        own = np.flatnonzero(keys % slices == number) if slices > 1 else first.copy()
        order = own[np.argsort(keys[own], kind="stable")]
        if not len(order):
            continue
        ordered = keys[order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        runs = np.flatnonzero(begins)
        first[order] = np.repeat(order[runs], np.diff(np.append(runs, len(order))))
    return first
