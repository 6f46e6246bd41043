"""The Kneser–Ney model against its own axioms and NLTK's."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.lm import KneserNeyInterpolated
from nltk.util import everygrams

from genline.data.prepared import BOS, EOS, PAD
from genline.evaluation.text.ngram_lm import KneserNey, estimate_discounts
from genline.evaluation.text.ngram_table import pack

VOCABULARY = 8
WORDS = range(3, VOCABULARY)  # what a text may hold: all but PAD, BOS and EOS

text = st.lists(st.sampled_from(list(WORDS)), max_size=6)
corpus = st.lists(text, min_size=1, max_size=10)


def packed(texts):
    return pack([np.array(t, np.int64) for t in texts])


def next_token_probabilities(model, context):
    """p(w | context) of every token that can follow, the end mark among them."""
    place = len(context)
    found = {}
    with np.errstate(divide="ignore"):  # without a discount some tokens are impossible
        for word, one in ((EOS, context), *((word, [*context, word]) for word in WORDS)):
            found[word] = math.exp(model.log_probabilities(packed([one]))[place])
    return found


@settings(max_examples=60, deadline=None)
@given(corpus, text, st.integers(1, 5))
def test_probabilities_over_the_vocabulary_sum_to_one(texts, context, order):
    model = KneserNey(packed(texts), VOCABULARY, order)
    assert sum(next_token_probabilities(model, context).values()) == pytest.approx(1, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(corpus, st.integers(1, 4))
def test_texts_of_every_length_together_have_probability_at_most_one(texts, order):
    model = KneserNey(packed(texts), VOCABULARY, order)
    every = [list(t) for n in range(4) for t in product(WORDS, repeat=n)]
    assert np.exp(-model.nll(packed(every))).sum() <= 1 + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.lists(text.filter(len), min_size=2, max_size=8), st.sampled_from([2, 3]))
def test_it_is_nltks_model_where_the_definitions_agree(texts, order):
    """One discount for all orders and none for single tokens, whose mass NLTK does not smooth.

    Texts are padded with one BOS, as ours are. NLTK gives a context that begins a text its
    continuation counts, of which it has none, so the first token is not compared; nor are tokens
    that the training texts lack, to which NLTK gives 0 and we no more without a discount.
    """
    discount = 0.4
    model = KneserNey(
        packed(texts), VOCABULARY, order, [(0.0,) * 3, *[(discount,) * 3] * (order - 1)]
    )
    marked = [[str(token) for token in (BOS, *t, EOS)] for t in texts]
    reference = KneserNeyInterpolated(order, discount=discount)
    reference.fit(
        [list(everygrams(t, max_len=order)) for t in marked],
        [token for t in marked for token in t],
    )
    found = np.exp(model.log_probabilities(packed(texts)))
    start = 0
    for one in marked:
        # With bigrams the first token's context is of the highest order, so it agrees too.
        for place in range(1 if order == 2 else 2, len(one)):
            context = one[max(0, place - order + 1) : place]
            wanted = reference.unmasked_score(one[place], tuple(context))
            assert found[start + place - 1] == pytest.approx(wanted, abs=1e-12)
        start += len(one) - 1


def test_a_bigram_worked_by_hand():
    """Texts "a" and "a b", one discount of ½, the single tokens undiscounted.

    Bigrams: BOS a ×2, a EOS, a b, b EOS. Distinct tokens before a: 1, b: 1, EOS: 2, of 4.
    p(b | a) = (1 − ½)/2 + ½·2/2 · ¼ = ⅜.
    """
    a, b = 3, 4
    model = KneserNey(packed([[a], [a, b]]), VOCABULARY, 2, [(0.0,) * 3, (0.5,) * 3])
    found = next_token_probabilities(model, [a])
    assert found[b] == pytest.approx(3 / 8)
    assert found[EOS] == pytest.approx(1 / 4 + 1 / 2 * 2 / 4)
    assert found[a] == pytest.approx(1 / 2 * 1 / 4)


def test_a_model_of_unseen_tokens_alone_is_uniform_but_for_what_it_has_seen():
    model = KneserNey(packed([[]]), VOCABULARY, 1, [(1.0,) * 3])
    # All mass is freed: the end mark, the only token seen, is as likely as any.
    found = next_token_probabilities(model, [])
    assert list(found.values()) == pytest.approx([1 / (VOCABULARY - 2)] * (VOCABULARY - 2))
    assert PAD not in found and BOS not in found


def test_discounts_follow_chen_and_goodman():
    counts = np.repeat([1, 2, 3, 4], [40, 20, 10, 8])
    y = 40 / (40 + 2 * 20)
    assert estimate_discounts(counts) == pytest.approx(
        (1 - 2 * y * 20 / 40, 2 - 3 * y * 10 / 20, 3 - 4 * y * 8 / 10)
    )


def test_discounts_without_enough_counts_are_the_usual_constants():
    assert estimate_discounts(np.array([5, 5, 7])) == (0.5, 1.0, 1.5)


def test_a_longer_order_predicts_a_fixed_sequence_better():
    texts = packed([[3, 4, 3, 5, 3, 6]] * 20)
    costs = [KneserNey(texts, VOCABULARY, order).nll(texts).sum() for order in (1, 2, 3)]
    assert costs[0] > costs[1] > costs[2]


def test_a_model_of_nothing_is_refused():
    with pytest.raises(ValueError, match="texts are 0"):
        KneserNey(packed([]), VOCABULARY, 3)
    with pytest.raises(ValueError, match="order is 0"):
        KneserNey(packed([[3]]), VOCABULARY, 0)
