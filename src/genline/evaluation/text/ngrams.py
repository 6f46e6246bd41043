"""What the n-grams of samples say: how like real ones they are, how varied, how much is copied.

Counting distinct things has no honest bootstrap, since a resample repeats texts and so loses
n-grams; the standard errors here are the delete-one jackknife's (Efron and Tibshirani, 1993,
chapter 11), in closed form, over texts.
"""

from __future__ import annotations

import math

import numpy as np

from genline.core.arrays import Floats, Ids
from genline.data.prepared import TextSplit
from genline.evaluation.intervals import jackknife_error
from genline.evaluation.text.ngram_table import NgramTable, join

Estimate = tuple[float, float]  # value and standard error


def jensen_shannon(samples: TextSplit, real: TextSplit, n: int) -> Estimate:
    """The Jensen–Shannon divergence of the two n-gram distributions, in bits: 0 to 1.

    The n-grams are those inside a text, without marks and without smoothing. It is biased upward
    at small counts, so it is read against its floor at the same counts. The standard error is
    over samples, to first order. Samples without any n-gram have nothing in common with the real
    ones: 1 bit. Raises ValueError where the real side has none.
    """
    numbered = NgramTable(join(samples, real), n).numbered
    text, ngram, count = numbered.entries(n)
    mine = text < len(samples)
    kinds = int(ngram.max(initial=-1)) + 1
    p, q = (np.bincount(ngram[side], count[side], kinds) for side in (mine, ~mine))
    total = p.sum()
    if not q.sum():
        raise ValueError(f"there is no {n}-gram to compare with: every text is shorter than {n}")
    if not total:
        return 1.0, 0.0
    p, q = p / total, q / q.sum()
    middle = (p + q) / 2
    log_p, log_q = _log2_ratio(p, middle), _log2_ratio(q, middle)
    value = float((p * log_p).sum() + (q * log_q).sum()) / 2
    # dJS/dp of an n-gram is ½ log₂(p/m): a text's influence is the sum over its n-grams, less
    # the mean, as a ratio of sums.
    slope = log_p / 2
    influence = np.bincount(text[mine], count[mine] * slope[ngram[mine]], len(samples))
    grams = np.bincount(text[mine], count[mine], len(samples))
    centred = influence - grams * float((p * slope).sum())
    scaled = centred * len(samples) / total
    return min(1.0, max(0.0, value)), float(scaled.std(ddof=1) / math.sqrt(len(samples)))


def distinct(texts: TextSplit, n: int) -> Estimate:
    """Distinct n-grams over all n-grams (Li et al., 2016), in (0, 1]; it falls as texts grow.

    Compare at equal counts only. It is 0 where there is no n-gram.
    """
    text, ngram, count = NgramTable(texts, n).numbered.entries(n)
    total = float(count.sum())
    if not total:
        return 0.0, 0.0
    holders = np.bincount(ngram)
    kinds = float((holders > 0).sum())
    grams = np.bincount(text, count, len(texts))
    # Leaving a text out loses the n-grams that no other text holds.
    lost = np.bincount(text, holders[ngram] == 1, len(texts))
    left = np.divide(kinds - lost, total - grams, out=np.zeros(len(texts)), where=total > grams)
    return kinds / total, jackknife_error(left)


def unique(texts: TextSplit) -> Estimate:
    """Distinct texts over all texts, in (0, 1]."""
    _, place, copies = np.unique(_whole(texts), return_inverse=True, return_counts=True)
    left = (len(copies) - (copies[place] == 1)) / (len(texts) - 1)
    return len(copies) / len(texts), jackknife_error(left)


def copied(texts: TextSplit, train: TextSplit) -> Floats:
    """1.0 for each text that stands word for word in ``train``, else 0.0: float64 (texts,)."""
    known = _whole(join(texts, train))
    return np.isin(known[: len(texts)], known[len(texts) :]).astype(np.float64)


def _whole(texts: TextSplit) -> Ids:
    """int64 (texts,): equal for equal texts and no others."""
    known: dict[bytes, int] = {}
    tokens = np.asarray(texts.tokens, np.int64)
    bounds = zip(texts.offsets[:-1], texts.offsets[1:], strict=True)
    keys = (tokens[start:end].tobytes() for start, end in bounds)
    return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)


def _log2_ratio(part: Floats, middle: Floats) -> Floats:
    return np.log2(np.divide(part, middle, out=np.ones_like(part), where=part > 0))
