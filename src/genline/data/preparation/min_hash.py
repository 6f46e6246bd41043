"""Texts that may be near-duplicates, found without comparing all pairs.

MinHash (Broder 1997, On the resemblance and containment of documents): the least of a set's hashes
is that of another set with the probability of their Jaccard similarity. Banding (Leskovec,
Rajaraman and Ullman, Mining of Massive Datasets, section 3.4): a text's hashes are cut into bands
of ``rows``; texts that agree in all of any band are candidates. At similarity s that happens with
probability 1 − (1 − s^rows)^bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genline.data.preparation.shingles import Hashes, mixed

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


def band_keys(grams: Hashes, begins: npt.NDArray[np.int64], banding: Banding) -> Hashes:
    """Of each text a key for each band, uint64 (bands + 1, n); those of the last row are of all
    its 3-grams together.

    grams: the 3-grams of all texts, one text after another; begins: where each text begins.
    """
    count = banding.bands * banding.rows
    factors = mixed(np.arange(1, count + 1, dtype=np.uint64)) | np.uint64(1)
    keys = np.empty((banding.bands + 1, len(begins)), np.uint64)
    ends = np.append(begins[1:], len(grams))
    first = 0
    while first < len(begins):
        last = max(first + 1, int(np.searchsorted(ends, begins[first] + _TOGETHER, side="right")))
        block = slice(first, last)
        own = grams[begins[first] : ends[last - 1]]
        starts = begins[block] - begins[first]
        for band in range(banding.bands):
            key = np.full(last - first, np.uint64(band + 1))
            for row in range(banding.rows):
                # A product with an odd number orders hashes anew.
                ordered = own * factors[band * banding.rows + row]
                key = mixed(key ^ np.minimum.reduceat(ordered, starts))
            keys[band, block] = key
        keys[-1, block] = _of_sets(own, starts)
        first = last
    return keys


def _of_sets(grams: Hashes, begins: npt.NDArray[np.int64]) -> Hashes:
    """A key that two texts share when their sets of 3-grams are equal."""
    text = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(grams))))
    order = np.lexsort((grams, text))
    text, grams = text[order], grams[order]
    new = np.concatenate([[True], (text[1:] != text[:-1]) | (grams[1:] != grams[:-1])])
    text, grams = text[new], grams[new]
    starts = np.flatnonzero(np.concatenate([[True], text[1:] != text[:-1]]))
    return mixed(np.add.reduceat(mixed(grams ^ np.uint64(1)), starts))
