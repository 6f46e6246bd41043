"""n-grams as integers, so that counting them is sorting arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genline.core.arrays import Ids
from genline.data.prepared import BOS, EOS, TextSplit

ABSENT = -1
# An n-gram's key is (number of its first n − 1 tokens) · _BASE + its last token. Both are below
# 2³¹, so the key fits in 63 bits.
_BASE_BITS = 31


def pack(texts: list[Ids]) -> TextSplit:
    """Texts, each int64 (length,), as one flat split."""
    lengths = np.array([len(text) for text in texts], np.int64)
    flat = np.concatenate(texts) if texts else np.empty(0, np.int64)
    return TextSplit(np.asarray(flat, np.int64), np.concatenate([[0], np.cumsum(lengths)]))


def join(first: TextSplit, second: TextSplit) -> TextSplit:
    """The texts of ``first``, then those of ``second``."""
    return TextSplit(
        np.concatenate([np.asarray(first.tokens, np.int64), np.asarray(second.tokens, np.int64)]),
        np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]]),
    )


def take(texts: TextSplit, indices: Ids) -> TextSplit:
    """The texts at ``indices``, in that order."""
    return pack([texts[int(index)] for index in indices])


def mark(texts: TextSplit) -> TextSplit:
    """The same texts with one BOS before and one EOS after each."""
    count = len(texts)
    offsets = texts.offsets + 2 * np.arange(count + 1)
    tokens = np.empty(offsets[-1], np.int64)
    tokens[offsets[:-1]] = BOS
    tokens[offsets[1:] - 1] = EOS
    place = np.arange(len(texts.tokens)) + 2 * owners(texts) + 1
    tokens[place] = texts.tokens
    return TextSplit(tokens, offsets)


def owners(texts: TextSplit) -> Ids:
    """int64 (tokens,): the text that each token belongs to."""
    return np.repeat(np.arange(len(texts), dtype=np.int64), texts.lengths)


@dataclass(frozen=True)
class Numbered:
    """The n-grams of a set of texts, n = 1..order, numbered within their order.

    ``ids[n - 1]``: int64 (tokens,), the number of the n-gram that starts at each token, ABSENT
    where it would leave its text or where the table does not know it. ``owner``: int64
    (tokens,), the text of each token.
    """

    ids: list[Ids]
    owner: Ids
    texts: int

    def entries(self, n: int) -> tuple[Ids, Ids, Ids]:
        """Each (text, n-gram) that occurs, with its count: three int64 arrays of one length."""
        inside = self.ids[n - 1] != ABSENT
        width = int(self.ids[n - 1].max(initial=0)) + 1
        pairs = self.owner[inside] * width + self.ids[n - 1][inside]
        unique, counts = np.unique(pairs, return_counts=True)
        return unique // width, unique % width, counts.astype(np.int64)


class NgramTable:
    """Numbers every n-gram, n = 1..order, of the texts it is made from; ``sizes`` counts them.

    ``prefixes[n - 1]`` gives, for each n-gram, the number of its first n − 1 tokens among the
    (n − 1)-grams, and ``last[n - 1]`` its last token.
    """

    def __init__(self, texts: TextSplit, order: int) -> None:
        self._keys: list[Ids] = []
        self.numbered = self._number(texts, order)

    @property
    def order(self) -> int:
        return len(self._keys)

    @property
    def sizes(self) -> list[int]:
        return [len(keys) for keys in self._keys]

    @property
    def prefixes(self) -> list[Ids]:
        return [keys >> _BASE_BITS for keys in self._keys]

    @property
    def last(self) -> list[Ids]:
        return [keys & ((1 << _BASE_BITS) - 1) for keys in self._keys]

    def number(self, texts: TextSplit) -> Numbered:
        """The n-grams of other texts by this table's numbers."""
        return self._number(texts, self.order)

    def _number(self, texts: TextSplit, order: int) -> Numbered:
        tokens, owner = np.asarray(texts.tokens, np.int64), owners(texts)
        remaining = texts.offsets[1:][owner] - np.arange(len(tokens))
        prefix = np.zeros(len(tokens), np.int64)  # the empty n-gram has number 0
        ids: list[Ids] = []
        for n in range(1, order + 1):
            inside = np.flatnonzero((remaining >= n) & (prefix != ABSENT))
            keys = (prefix[inside] << _BASE_BITS) | tokens[inside + n - 1]
            if len(self._keys) < n:
                self._keys.append(np.unique(keys))
            current = np.full(len(tokens), ABSENT, np.int64)
            current[inside] = _find(self._keys[n - 1], keys)
            ids.append(current)
            prefix = current
        return Numbered(ids, owner, len(texts))


def _find(known: Ids, keys: Ids) -> Ids:
    """The place of each key among the sorted ``known``, ABSENT if it is not there."""
    if not len(known):
        return np.full(len(keys), ABSENT, np.int64)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[place] == keys, place, ABSENT)
