"""The words of many texts and their 3-grams, as 64-bit hashes: the same in every process.

Two texts share a hash where they share a 3-gram. A word is a run of letters, digits and underscores
whatever their case, or one character of a script without spaces; marks do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from genline.data.unicode import ALONE, WORD, CodePoints, unicode_tables

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

GRAM = 3
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_PLACES = np.array([0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB], np.uint64)
_NO_WORD = np.uint64(0x8EBC6AF09C88C6E3)
_TOGETHER = 2**19  # characters of texts that are taken together: some 60 bytes each


@dataclass(frozen=True)
class Words:
    """The words of many texts in order: their hashes, and the text of each, rising."""

    hashes: Hashes
    text_of: Integers
    texts: int

    @classmethod
    def of(cls, texts: Sequence[str], characters: CodePoints | None = None) -> Words:
        """``characters``: those of ``texts``, where they are known already."""
        own = characters or CodePoints.of(texts)
        tables = unicode_tables()
        kind = tables.kind[own.points]
        word, alone = kind & WORD > 0, kind & ALONE > 0
        begins, ends = own.starts(word) | alone, own.ends(word) | alone
        places = np.flatnonzero(begins), np.flatnonzero(ends)
        return cls(_word_hashes(tables.lower[own.points], *places), own.text_of[begins], len(texts))

    def counts(self) -> Integers:
        return np.bincount(self.text_of, minlength=self.texts)

    def most_frequent(self) -> Integers:
        """How often the most frequent word of each text stands in it."""
        most = np.zeros(self.texts, np.int64)
        if not len(self.hashes):
            return most
        keys = mixed(self.hashes + self.text_of.astype(np.uint64) * np.uint64(_BASE))
        order = np.argsort(keys)
        ranked = keys[order]
        first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        runs = np.diff(np.concatenate([first, [len(ranked)]]))
        np.maximum.at(most, self.text_of[order[first]], runs)
        return most

    def grams(self) -> tuple[Hashes, Integers]:
        """The hash of each 3-gram, text after text, and where each text begins.

        A text of fewer words is filled up, so that it has one.
        """
        counts = self.counts()
        lengths = np.maximum(counts, GRAM)
        begins = np.cumsum(lengths) - lengths
        filled = np.full(int(lengths.sum()), _NO_WORD, np.uint64)
        within = np.arange(len(self.hashes)) - np.repeat(np.cumsum(counts) - counts, counts)
        filled[begins[self.text_of] + within] = self.hashes
        joined = sum(
            filled[i : len(filled) - GRAM + 1 + i] * place for i, place in enumerate(_PLACES)
        )
        home = np.repeat(np.arange(self.texts), lengths)
        whole = home[: len(home) - GRAM + 1] == home[GRAM - 1 :]
        sizes = lengths - GRAM + 1
        return mixed(np.asarray(joined, np.uint64)[whole]), np.cumsum(sizes) - sizes


def grams(texts: Iterable[str]) -> tuple[Hashes, Integers]:
    """:meth:`Words.grams` of any number of texts, taken a few at a time."""
    hashes, begins = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    total = 0
    for block in _blocks(texts):
        own, starts = Words.of(block).grams()
        hashes.append(own)
        begins.append(starts + total)
        total += len(own)
    return np.concatenate(hashes), np.concatenate(begins)


def _blocks(texts: Iterable[str]) -> Iterable[list[str]]:
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= _TOGETHER:
            yield block
            block, size = [], 0
    if block:
        yield block


def _word_hashes(points: npt.NDArray[np.uint32], first: Integers, last: Integers) -> Hashes:
    """The hash of each run of ``points`` from ``first`` to ``last``, its end included.

    A polynomial in the code points modulo 2^64, from running sums, so that the cost does not depend
    on the number of words.
    """
    up, down = _powers(len(points))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(points * up[: len(points)])])
    return mixed((sums[last + 1] - sums[first]) * down[first])


def mixed(values: Hashes) -> Hashes:
    """Each bit of the result depends on all of the value's.

    Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators: its finaliser.
    """
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values = values ^ (values >> np.uint64(27))
    values = values * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """At least ``count`` powers of the base, and of its inverse."""
    return _powers_of(1 << max(20, (max(count, 1) - 1).bit_length()))


@lru_cache(maxsize=1)
def _powers_of(count: int) -> tuple[Hashes, Hashes]:
    found = []
    for base in (_BASE, pow(_BASE, -1, 2**64)):
        values = np.full(count, base, np.uint64)
        values[0] = 1
        found.append(np.cumprod(values))
    return found[0], found[1]
