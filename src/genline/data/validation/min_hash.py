"""Min-hashes of texts: two agree in as many as the share of word 3-grams that both have.

Broder 1997, On the resemblance and containment of documents, section 3. A word is a run of letters
and digits, case aside, or one ideograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_GRAM = 3
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_PLACES = np.array([0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB], np.uint64)
_NO_WORD = np.uint64(0x8EBC6AF09C88C6E3)


@dataclass(frozen=True)
class Words:
    """The words of many texts in order: their hashes, and the text of each, rising."""

    hashes: Hashes
    text_of: Integers
    texts: int

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
        lengths = np.maximum(counts, _GRAM)
        begins = np.cumsum(lengths) - lengths
        filled = np.full(int(lengths.sum()), _NO_WORD, np.uint64)
        within = np.arange(len(self.hashes)) - np.repeat(np.cumsum(counts) - counts, counts)
        filled[begins[self.text_of] + within] = self.hashes
        joined = sum(
            filled[i : len(filled) - _GRAM + 1 + i] * place for i, place in enumerate(_PLACES)
        )
        home = np.repeat(np.arange(self.texts), lengths)
        whole = home[: len(home) - _GRAM + 1] == home[_GRAM - 1 :]
        sizes = lengths - _GRAM + 1
        return mixed(np.asarray(joined, np.uint64)[whole]), np.cumsum(sizes) - sizes


def word_hashes(points: npt.NDArray[np.uint32], first: Integers, last: Integers) -> Hashes:
    """The hash of each run of ``points`` from ``first`` to ``last``, its end included.

    A polynomial in the code points modulo 2^64, from running sums, so that the cost does not depend
    on the number of words.
    """
    up, down = _powers(len(points))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(points * up[: len(points)])])
    return mixed((sums[last + 1] - sums[first]) * down[first])


def signatures(words: Words, count: int) -> npt.NDArray[np.uint32]:
    """``count`` min-hashes of each text: uint32 (texts, count)."""
    if not words.texts:
        return np.zeros((0, count), np.uint32)
    grams, begins = words.grams()
    multipliers = mixed(np.arange(1, count + 1, dtype=np.uint64)) | np.uint64(1)
    columns = [
        np.minimum.reduceat((grams * multiplier) >> np.uint64(32), begins)
        for multiplier in multipliers
    ]
    return np.stack(columns, 1).astype(np.uint32)


def mixed(values: Hashes) -> Hashes:
    """Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators: its finaliser."""
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
