"""Near-duplicate texts by the Jaccard similarity of their word 3-grams, exactly and fast.

Prefix filtering (Chaudhuri et al. 2006; Bayardo et al. 2007): with the 3-grams of each set sorted
from rare to frequent, two sets of similarity at least t share one among the first
|x| − ⌈t·|x|⌉ + 1 of each. Only sets that do are compared, so the answer is exact.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction

_WORD = re.compile(r"\w+")
_GRAM = 3


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """The word 3-grams of ``text``, case and punctuation aside; all its words if it has fewer."""
    words = _WORD.findall(text.lower())
    count = max(len(words) - _GRAM + 1, 1)
    return frozenset(tuple(words[i : i + _GRAM]) for i in range(count))


def distinct(texts: Sequence[str], threshold: float) -> list[int]:
    """Indices of the texts kept: each in order, unless it nearly repeats one kept before it.

    ``threshold``: the Jaccard similarity, in (0, 1], from which two texts are near-duplicates.
    """
    # A fraction, so that 3/5 reaches 0.6 whatever the rounding of floats.
    limit = Fraction(str(threshold))
    sets = [shingles(text) for text in texts]
    frequency = Counter(gram for grams in sets for gram in grams)
    rank = {gram: i for i, gram in enumerate(sorted(frequency, key=lambda g: (frequency[g], g)))}
    ranked = [frozenset(rank[gram] for gram in grams) for grams in sets]
    holders: defaultdict[int, list[int]] = defaultdict(list)
    kept: list[int] = []
    for index, grams in enumerate(ranked):
        prefix = sorted(grams)[: len(grams) - _ceil(limit * len(grams)) + 1]
        candidates = {other for gram in prefix for other in holders[gram]}
        if any(_reaches(grams, ranked[other], limit) for other in candidates):
            continue
        kept.append(index)
        for gram in prefix:
            holders[gram].append(index)
    return kept


def _reaches(x: frozenset[int], y: frozenset[int], limit: Fraction) -> bool:
    shared = len(x & y)
    union = len(x) + len(y) - shared
    return shared * limit.denominator >= limit.numerator * union


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
