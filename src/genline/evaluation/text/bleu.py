"""BLEU and self-BLEU of every sample against every reference, exactly, in a second or less.

Mean sentence BLEU (Papineni et al., 2002) with uniform weights and smoothing method 1 of Chen and
Cherry (2014). A reference matters only through the largest count that any reference has of an
n-gram and through the closest length, so both are computed once for all hypotheses; for
self-BLEU, where each text is left out of its own references, the owner of the largest count and
the second largest are kept too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genline.core.arrays import Floats, Ids
from genline.data.prepared import TextSplit
from genline.evaluation.text.ngram_table import NgramTable, Numbered, join

_EPSILON = 0.1  # smoothing method 1: the numerator that stands for no match at all


def bleu(hypotheses: TextSplit, references: TextSplit, orders: Sequence[int]) -> dict[int, Floats]:
    """BLEU-n of each hypothesis against all ``references``: float64 (hypotheses,) by n.

    ``orders`` are the largest n-grams counted. Equals NLTK's ``sentence_bleu`` with ``method1``.
    Raises ValueError without references.
    """
    if not len(references):
        raise ValueError("BLEU needs at least one reference")
    count = len(hypotheses)
    numbered = NgramTable(join(hypotheses, references), max(orders)).numbered
    clipped = [_clip_by_references(numbered, n, count) for n in range(1, max(orders) + 1)]
    closest = closest_lengths(hypotheses.lengths, references.lengths)
    return {n: _scores(hypotheses.lengths, clipped[:n], closest) for n in orders}


def self_bleu(texts: TextSplit, orders: Sequence[int]) -> dict[int, Floats]:
    """BLEU-n of each text against all the others: float64 (texts,) by n.

    Raises ValueError for fewer than two texts.
    """
    if len(texts) < 2:
        raise ValueError(f"self-BLEU needs two texts or more; there are {len(texts)}")
    numbered = NgramTable(texts, max(orders)).numbered
    clipped = [_clip_by_others(numbered, n) for n in range(1, max(orders) + 1)]
    closest = closest_lengths_of_others(texts.lengths)
    return {n: _scores(texts.lengths, clipped[:n], closest) for n in orders}


def _scores(lengths: Ids, clipped: Sequence[Floats], closest: Ids) -> Floats:
    logs = np.zeros(len(lengths))
    for n, matches in enumerate(clipped, start=1):
        possible = np.maximum(1, lengths - n + 1)
        logs += np.log(np.where(matches > 0, matches, _EPSILON) / possible)
    ratio = closest / np.maximum(lengths, 1)
    brevity = np.where(lengths > closest, 1.0, np.exp(1.0 - ratio))
    # A text that shares no token at all scores zero, smoothing or not.
    return np.where(clipped[0] > 0, brevity * np.exp(logs / len(clipped)), 0.0)


def _clip_by_references(numbered: Numbered, n: int, hypotheses: int) -> Floats:
    """Matched n-grams of each hypothesis; the texts after the hypotheses are references."""
    text, ngram, count = numbered.entries(n)
    mine = text < hypotheses
    largest = np.zeros(int(ngram.max(initial=0)) + 1, np.int64)
    np.maximum.at(largest, ngram[~mine], count[~mine])
    matches = np.minimum(count[mine], largest[ngram[mine]])
    return np.bincount(text[mine], matches, hypotheses).astype(np.float64)


def _clip_by_others(numbered: Numbered, n: int) -> Floats:
    """Matched n-grams of each text, the others being its references."""
    text, ngram, count = numbered.entries(n)
    by_count = np.lexsort((-count, ngram))
    sorted_ngram, sorted_count = ngram[by_count], count[by_count]
    opens = np.flatnonzero(np.diff(sorted_ngram, prepend=-1))
    kinds = int(ngram.max(initial=0)) + 1
    largest, second, owner = (np.zeros(kinds, np.int64) for _ in range(3))
    largest[sorted_ngram[opens]] = sorted_count[opens]
    owner[sorted_ngram[opens]] = text[by_count][opens]
    follows = opens[np.diff(opens, append=len(by_count)) > 1] + 1
    second[sorted_ngram[follows]] = sorted_count[follows]
    others = np.where(owner[ngram] == text, second[ngram], largest[ngram])
    return np.bincount(text, np.minimum(count, others), numbered.texts).astype(np.float64)


def closest_lengths(lengths: Ids, references: Ids) -> Ids:
    """The reference length nearest to each of ``lengths``, the shorter of two as near."""
    known = np.unique(references)
    above = np.searchsorted(known, lengths)
    over = known[np.minimum(above, len(known) - 1)]
    under = known[np.maximum(above - 1, 0)]
    return np.where(np.abs(under - lengths) <= np.abs(over - lengths), under, over)


def closest_lengths_of_others(lengths: Ids) -> Ids:
    """As :func:`closest_lengths`, each text's references being all the other texts."""
    known, counts = np.unique(lengths, return_counts=True)
    if len(known) == 1:
        return lengths.copy()
    nearest = np.empty(len(known), np.int64)
    for place, (length, count) in enumerate(zip(known, counts, strict=True)):
        rest = known if count > 1 else np.delete(known, place)
        nearest[place] = closest_lengths(np.array([length]), rest)[0]
    return nearest[np.searchsorted(known, lengths)]
