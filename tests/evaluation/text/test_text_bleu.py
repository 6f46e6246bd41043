"""BLEU and self-BLEU against NLTK, and their algorithm's corners."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction, closest_ref_length, sentence_bleu

from genline.evaluation.text.bleu import bleu, closest_lengths, closest_lengths_of_others, self_bleu
from genline.evaluation.text.ngram_table import pack

ORDERS = (2, 3, 4, 5)
METHOD1 = SmoothingFunction().method1

# Few words, so that n-grams repeat; lengths from 0, so that some are shorter than n.
text = st.lists(st.integers(4, 7), max_size=9)
corpus = st.lists(text, min_size=2, max_size=8)


def packed(texts):
    return pack([np.array(t, np.int64) for t in texts])


def nltk_bleu(references, hypothesis, n):
    return sentence_bleu(references, hypothesis, (1 / n,) * n, smoothing_function=METHOD1)


@settings(max_examples=60, deadline=None)
@given(corpus, corpus)
def test_bleu_is_that_of_nltk(hypotheses, references):
    found = bleu(packed(hypotheses), packed(references), ORDERS)
    for n in ORDERS:
        wanted = [nltk_bleu(references, h, n) for h in hypotheses]
        np.testing.assert_allclose(found[n], wanted, rtol=0, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(corpus)
def test_self_bleu_is_that_of_nltk_with_each_text_left_out_of_its_references(texts):
    found = self_bleu(packed(texts), ORDERS)
    for n in ORDERS:
        wanted = [nltk_bleu(texts[:i] + texts[i + 1 :], t, n) for i, t in enumerate(texts)]
        np.testing.assert_allclose(found[n], wanted, rtol=0, atol=1e-8)


def test_a_sample_that_is_a_reference_scores_one():
    texts = packed([[4, 5, 6, 7, 8, 9]])
    assert bleu(texts, packed([[9, 8, 7], [4, 5, 6, 7, 8, 9]]), (5,))[5][0] == pytest.approx(1.0)


def test_the_only_text_of_its_words_does_not_match_itself():
    scores = self_bleu(packed([[4, 5, 6], [7, 8, 9]]), (2,))[2]
    assert scores.tolist() == [0.0, 0.0]


def test_two_equal_texts_score_one_beside_a_third():
    scores = self_bleu(packed([[4, 5, 6], [4, 5, 6], [7, 8, 9]]), (3,))[3]
    assert scores.tolist() == pytest.approx([1.0, 1.0, 0.0])


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=8),
    st.lists(st.integers(0, 20), min_size=1, max_size=8),
)
def test_the_closest_length_is_that_of_nltk(lengths, references):
    found = closest_lengths(np.array(lengths), np.array(references))
    wanted = [closest_ref_length([[0] * r for r in references], n) for n in lengths]
    assert found.tolist() == wanted


@given(st.lists(st.integers(0, 12), min_size=2, max_size=10))
def test_the_closest_length_among_the_others_leaves_one_of_its_own_out(lengths):
    found = closest_lengths_of_others(np.array(lengths))
    for i, length in enumerate(lengths):
        rest = lengths[:i] + lengths[i + 1 :]
        assert found[i] == closest_ref_length([[0] * r for r in rest], length)


def test_a_short_sample_pays_the_brevity_penalty():
    found = bleu(packed([[4, 5]]), packed([[4, 5, 6, 7]]), (2,))[2][0]
    assert found == pytest.approx(math.exp(1 - 4 / 2))


def test_bleu_without_references_is_refused():
    with pytest.raises(ValueError, match="reference"):
        bleu(packed([[4]]), packed([]), (2,))
    with pytest.raises(ValueError, match="two texts"):
        self_bleu(packed([[4]]), (2,))
