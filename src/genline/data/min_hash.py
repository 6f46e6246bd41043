"""Texts that may be near-duplicates, found without comparing all pairs.

MinHash (Broder 1997, On the resemblance and containment of documents): the least of a set's hashes
is that of another set with the probability of their Jaccard similarity. Banding (Leskovec,
Rajaraman and Ullman, Mining of Massive Datasets, section 3.4): a text's hashes are cut into bands
of ``rows``; texts that agree in all of any band are candidates. At similarity s that happens with
probability 1 − (1 − s^rows)^bands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genline.data.shingles import Hashes, mixed

_FOUND = 0.995  # of the pairs at just the threshold; of more similar ones, more
_MOST_BANDS = 32
_MOST_ROWS = 4
_TOGETHER = 2**15  # 3-grams whose hashes are made at a time, so that they stay in the cache


@dataclass(frozen=True)
class Banding:
    """How many hashes a text has, and how they are grouped."""

    bands: int
    rows: int

    @classmethod
    def of(cls, threshold: float) -> Banding:
        """As many rows as let the pairs at ``threshold`` be found in 32 bands: few false ones."""
        for rows in range(_MOST_ROWS, 1, -1):
            bands = _bands(threshold, rows)
            if bands <= _MOST_BANDS:
                return cls(bands, rows)
        return cls(_bands(threshold, 1), 1)


def _bands(threshold: float, rows: int) -> int:
    missed = 1 - threshold**rows
    return 1 if missed <= 1 - _FOUND else math.ceil(math.log(1 - _FOUND) / math.log(missed))


def signatures(grams: Hashes, begins: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.uint32]:
    """``count`` min-hashes of each text: uint32 (texts, count).

    grams: the 3-grams of all texts, one text after another; begins: where each text begins.
    """
    # A product with an odd number orders hashes anew; its upper half is the better mixed one.
    factors = mixed(np.arange(1, count + 1, dtype=np.uint64)) | np.uint64(1)
    found = np.empty((len(begins), count), np.uint32)
    for block, own, starts in _blocks(grams, begins):
        for place, factor in enumerate(factors):
            found[block, place] = np.minimum.reduceat((own * factor) >> np.uint64(32), starts)
    return found


def band_keys(hashes: npt.NDArray[np.uint32], rows: int) -> Hashes:
    """Each ``rows`` min-hashes as one key: uint64 (texts, bands)."""
    bands = hashes.reshape(len(hashes), hashes.shape[1] // rows, rows).astype(np.uint64)
    keys = np.zeros(bands.shape[:2], np.uint64)
    for row in range(rows):
        keys = mixed(keys ^ bands[:, :, row])
    return keys


def set_keys(grams: Hashes, begins: npt.NDArray[np.int64]) -> Hashes:
    """A key that two texts share when their sets of 3-grams are equal: uint64 (texts,)."""
    found = [np.empty(0, np.uint64)]
    found += [_of_sets(own, starts) for _, own, starts in _blocks(grams, begins)]
    return np.concatenate(found)


def _blocks(
    grams: Hashes, begins: npt.NDArray[np.int64]
) -> Iterator[tuple[slice, Hashes, npt.NDArray[np.int64]]]:
    """Runs of texts, their 3-grams, and where each text begins among these."""
    ends = np.append(begins[1:], len(grams))
    first = 0
    while first < len(begins):
        last = max(first + 1, int(np.searchsorted(ends, begins[first] + _TOGETHER, side="right")))
        yield (
            slice(first, last),
            grams[begins[first] : ends[last - 1]],
            begins[first:last] - begins[first],
        )
        first = last


def _of_sets(grams: Hashes, begins: npt.NDArray[np.int64]) -> Hashes:
    text = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(grams))))
    order = np.lexsort((grams, text))
    text, grams = text[order], grams[order]
    new = np.concatenate([[True], (text[1:] != text[:-1]) | (grams[1:] != grams[:-1])])
    text, grams = text[new], grams[new]
    starts = np.flatnonzero(np.concatenate([[True], text[1:] != text[:-1]]))
    return mixed(np.add.reduceat(mixed(grams ^ np.uint64(1)), starts))
