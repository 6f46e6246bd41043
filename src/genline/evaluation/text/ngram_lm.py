"""An interpolated Kneser–Ney n-gram language model: fixed work, no randomness, a second or two.

Chen and Goodman (1999), "An empirical study of smoothing techniques for language modeling",
sections 2.7 and 3: the modified form with three discounts an order, estimated in closed form from
the counts of counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genline.core.arrays import Floats, Ids
from genline.data.prepared import BOS, PAD, TextSplit
from genline.evaluation.text.ngram_table import ABSENT, NgramTable, mark

Discounts = tuple[float, float, float]  # of counts 1, 2, and 3 or more

_FALLBACK: Discounts = (0.5, 1.0, 1.5)


class KneserNey:
    """p(w | the order − 1 tokens before it), over the vocabulary less PAD and BOS.

    A text is read as one BOS, its tokens, EOS; the end mark is predicted like any token, and at
    the start of a text the context is as long as what stands there. The highest order and the
    n-grams that begin a text use counts, all others the number of distinct tokens seen before
    them. Single tokens are interpolated with the uniform distribution, so no probability is zero.

    ``discounts`` fixes the three discounts of every order (for plain Kneser–Ney give three equal
    ones); None estimates them. Raises ValueError without texts or for an order below 1.
    """

    def __init__(
        self,
        texts: TextSplit,
        vocabulary: int,
        order: int,
        discounts: Sequence[Discounts] | None = None,
    ) -> None:
        if order < 1 or not len(texts):
            raise ValueError(f"order is {order} and texts are {len(texts)}; both must be >= 1")
        marked = mark(texts)
        self.order, self.predicted = order, vocabulary - 2
        self._table = NgramTable(marked, order)
        self._seen: list[Floats] = []  # discounted probability of each n-gram, by order
        self._backoff: list[Floats] = []  # weight of the shorter context, by context
        counts = _adjusted_counts(self._table, marked)
        for n, of_order in enumerate(counts, start=1):
            discount = discounts[n - 1] if discounts else estimate_discounts(of_order)
            contexts = 1 if n == 1 else self._table.sizes[n - 2]
            self._fit_order(of_order, self._table.prefixes[n - 1], contexts, discount)

    def _fit_order(self, counts: Ids, context: Ids, contexts: int, discount: Discounts) -> None:
        off = np.array([0.0, *discount])[np.minimum(counts, 3)]
        total = np.bincount(context, counts, contexts)
        freed = np.bincount(context, off, contexts)
        used = total > 0
        share = np.divide(1.0, total, out=np.zeros(contexts), where=used)
        self._seen.append((counts - off) * share[context])
        # A context that was never continued leaves everything to the shorter one.
        self._backoff.append(np.where(used, freed * share, 1.0))

    def log_probabilities(self, texts: TextSplit) -> Floats:
        """Natural logarithms, float64 (tokens + texts,): of each token, then of its text's end."""
        marked = mark(texts)
        numbered = self._table.number(marked)
        start = marked.offsets[:-1][numbered.owner]
        position = np.arange(len(marked.tokens))
        probability = np.full(len(position), 1.0 / self.predicted)
        for n in range(1, self.order + 1):
            first = position - n + 1
            reach = np.flatnonzero(first >= start)
            begin = first[reach]
            context = numbered.ids[n - 2][begin] if n > 1 else np.zeros(len(reach), np.int64)
            reach, begin = reach[context != ABSENT], begin[context != ABSENT]
            context = context[context != ABSENT]
            ngram = numbered.ids[n - 1][begin]
            seen = np.where(ngram != ABSENT, self._seen[n - 1][ngram], 0.0)
            probability[reach] = seen + self._backoff[n - 1][context] * probability[reach]
        logs: Floats = np.log(np.delete(probability, marked.offsets[:-1]))
        return logs

    def nll(self, texts: TextSplit) -> Floats:
        """−ln p of each text in nats, float64 (texts,); its end mark counts, its begin does not."""
        owner = np.repeat(np.arange(len(texts)), texts.lengths + 1)
        nats: Floats = np.zeros(len(texts))
        np.add.at(nats, owner, -self.log_probabilities(texts))
        return nats


def estimate_discounts(counts: Ids) -> Discounts:
    """The discounts of counts 1, 2 and ≥ 3 (Chen and Goodman, 1999, equation 26).

    Where a count of counts is zero, so that the formula has no value, or where it leaves
    (0, count], the usual constants ½, 1, 1½ stand in: a discount of zero would leave nothing to
    the tokens a context was never followed by.
    """
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return _FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    if any(not 0 < d <= k for k, d in enumerate(found, start=1)):
        return _FALLBACK
    return found


def _adjusted_counts(table: NgramTable, marked: TextSplit) -> list[Ids]:
    """By order: how often, or after how many distinct tokens, each n-gram of ``marked`` occurs."""
    ids = table.numbered.ids
    begins = np.zeros(len(marked.tokens), bool)
    begins[marked.offsets[:-1]] = True
    adjusted: list[Ids] = []
    for n, size in enumerate(table.sizes, start=1):
        here = ids[n - 1] != ABSENT
        raw = np.bincount(ids[n - 1][here], minlength=size)
        if n < table.order:
            # One occurrence of each (n + 1)-gram gives the n-gram it ends with.
            longer, first = np.unique(ids[n], return_index=True)
            first = first[longer != ABSENT]
            counts = np.bincount(ids[n - 1][first + 1], minlength=size)
            opening = ids[n - 1][here & begins]
            counts[opening] = raw[opening]
        else:
            counts = raw
        if n == 1:
            counts[(table.last[0] == BOS) | (table.last[0] == PAD)] = 0
        adjusted.append(counts.astype(np.int64))
    return adjusted
