"""Near-duplicate texts by the Jaccard similarity of their word 3-grams, exactly and fast.

Prefix filtering (Chaudhuri et al. 2006; Bayardo et al. 2007): with the 3-grams of each set sorted
from rare to frequent, two sets of similarity at least t share one among the first
|x| − ⌈t·|x|⌉ + 1 of each. Only sets that do are compared, so the answer is exact.

A set is a run of rising integers in one array, so that memory is some 40 bytes a word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.data import shingles

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Sets:
    """The different 3-grams of each text, as ranks from rare to frequent, rising."""

    ranks: Integers  # of all texts, one after another
    ends: Integers  # text i has ranks[ends[i]:ends[i + 1]]
    first_shared: int  # lower ranks stand in one text only

    def of(self, index: int) -> Integers:
        found: Integers = self.ranks[self.ends[index] : self.ends[index + 1]]
        return found


def distinct(texts: Sequence[str], threshold: float) -> list[int]:
    """Indices of the texts kept: each in order, unless it nearly repeats one kept before it.

    Case and punctuation do not count; a text of fewer than 3 words is one 3-gram. ``threshold``:
    the Jaccard similarity, in (0, 1], from which two texts are near-duplicates.
    """
    if not texts:
        return []
    # A fraction, so that 3/5 reaches 0.6 whatever the rounding of floats.
    limit = Fraction(str(threshold))
    sets = _sets(texts)
    holders: defaultdict[int, list[int]] = defaultdict(list)
    kept: list[int] = []
    for index in range(len(texts)):
        grams = sets.of(index)
        prefix = grams[: len(grams) - _ceil(limit * len(grams)) + 1]
        shared = prefix[np.searchsorted(prefix, sets.first_shared) :].tolist()
        candidates = {other for gram in shared for other in holders.get(gram, ())}
        if candidates:
            own = set(grams.tolist())
            if any(reaches(own, sets.of(other), limit) for other in candidates):
                continue
        kept.append(index)
        for gram in shared:
            holders[gram].append(index)
    return kept


def _sets(texts: Sequence[str]) -> _Sets:
    hashes, begins = shingles.grams(texts)
    _, grams = np.unique(hashes, return_inverse=True)
    kinds = int(grams.max()) + 1
    text_of = np.repeat(np.arange(len(texts)), np.diff(begins, append=len(grams)))
    text_of, grams = np.divmod(np.unique(text_of * kinds + grams), kinds)
    frequency = np.bincount(grams, minlength=kinds)
    rank = np.empty(kinds, np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(kinds)
    ranks = np.sort(text_of * kinds + rank[grams]) % kinds
    ends = np.concatenate([[0], np.cumsum(np.bincount(text_of, minlength=len(texts)))])
    return _Sets(ranks, ends, int((frequency == 1).sum()))


def reaches(x: set[int], y: npt.NDArray[Any], limit: Fraction) -> bool:
    """Whether the Jaccard similarity of two sets is at least ``limit``; ``y`` holds each once."""
    smaller, larger = sorted((len(x), len(y)))
    if smaller * limit.denominator < limit.numerator * larger:
        return False
    shared = len(x.intersection(y.tolist()))
    union = len(x) + len(y) - shared
    return shared * limit.denominator >= limit.numerator * union


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
