"""Training a vocabulary on some of the texts, where all would not fit into memory.

A trainer of subwords holds every different word. Those of a language with spaces are few; where
none part words, a whole clause is one, hardly any stands twice, and each of its characters is three
bytes to be merged: 1 million of Chinese took 280 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from genline.data.words import count_unspaced

_UNSPACED = 12  # what a character without spaces weighs


def thinned(texts: Iterable[str], most: int) -> Iterator[str]:
    """Every so many of ``texts``, from the first on, that they weigh about ``most`` or less.

    A character weighs 1, one of a script without spaces more. ``texts`` are gone through twice.
    """
    every = max(1, -(-sum(map(_weight, texts)) // most))
    return islice(texts, 0, None, every)


def _weight(text: str) -> int:
    return len(text) if text.isascii() else len(text) + (_UNSPACED - 1) * count_unspaced(text)
