"""The word 3-grams of texts as 64-bit hashes: two texts share a hash where they share a 3-gram.

As for :mod:`~genline.data.preparation.near_duplicates`, case and punctuation do not count, and a
text of fewer than 3 words is one 3-gram. Hashes are the same in every process.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from genline.data.preparation.near_duplicates import GRAM, WORD

Hashes = npt.NDArray[np.uint64]

_KNOWN = 2**18  # words whose hashes are remembered
_PLACES = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # odd, one a place
_NO_WORD = 0


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN:
            self.clear()
        found = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        self[word] = found
        return found


class Shingler:
    """Makes the 3-grams of texts; it remembers the words it has met."""

    def __init__(self) -> None:
        self._words = _WordHashes()

    def of(self, texts: Iterable[str]) -> tuple[Hashes, npt.NDArray[np.int64]]:
        """The 3-grams of all texts, one text after another, and where each text begins.

        A text has one for each place they stand at.
        """
        hashes, lengths = array("Q"), array("q")
        for text in texts:
            found = [self._words[word] for word in WORD.findall(text.lower())]
            found += [_NO_WORD] * (GRAM - len(found))
            hashes.extend(found)
            lengths.append(len(found))
        words = np.frombuffer(hashes, np.uint64) if hashes else np.empty(0, np.uint64)
        sizes = np.array(lengths, np.int64)
        # A 3-gram at each word but the last two of each text.
        ends = np.cumsum(sizes)
        within = np.ones(len(words), bool)
        for back in range(1, GRAM):
            within[ends - back] = False
        grams = np.zeros(max(len(words) - GRAM + 1, 0), np.uint64)
        for place, factor in enumerate(_PLACES):
            grams += words[place : len(words) - GRAM + 1 + place] * np.uint64(factor)
        own = sizes - GRAM + 1
        return mixed(grams[within[: len(grams)]]), np.cumsum(own) - own


def mixed(values: Hashes) -> Hashes:
    """Each bit of the result depends on all of the value's (SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
