"""n-gram numbers, Jensen–Shannon, distinct-n, unique and copied shares."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.util import ngrams as nltk_ngrams
from scipy.spatial.distance import jensenshannon

from genline.data.prepared import BOS, EOS
from genline.evaluation.text import ngrams
from genline.evaluation.text.ngram_table import ABSENT, NgramTable, mark, pack, take

text = st.lists(st.integers(4, 8), max_size=7)
corpus = st.lists(text, min_size=1, max_size=8)


def packed(texts):
    return pack([np.array(t, np.int64) for t in texts])


def counted(texts, n):
    return Counter(g for t in texts for g in nltk_ngrams(t, n))


@settings(max_examples=50, deadline=None)
@given(corpus, st.integers(1, 4))
def test_entries_are_the_ngram_counts_of_each_text(texts, n):
    owner, ngram, count = NgramTable(packed(texts), n).numbered.entries(n)
    for index, one in enumerate(texts):
        wanted = sorted(counted([one], n).values())
        assert sorted(count[owner == index].tolist()) == wanted
    assert len(set(ngram.tolist())) == len(counted(texts, n))


def test_a_table_knows_its_own_ngrams_in_other_texts_and_no_others():
    table = NgramTable(packed([[4, 5, 6]]), 2)
    found = table.number(packed([[9, 4, 5], [5, 4]]))
    assert [i != ABSENT for i in found.ids[0]] == [False, True, True, True, True]
    # "4 5" alone is known; an n-gram never runs on into the next text.
    assert [i != ABSENT for i in found.ids[1]] == [False, True, False, False, False]


@given(corpus)
def test_marks_stand_around_every_text(texts):
    marked = mark(packed(texts))
    assert [marked[i].tolist() for i in range(len(texts))] == [[BOS, *t, EOS] for t in texts]


def test_taking_texts_keeps_the_order_asked_for():
    taken = take(packed([[4], [5, 5], []]), np.array([2, 1]))
    assert [taken[i].tolist() for i in range(2)] == [[], [5, 5]]


@given(corpus.filter(lambda c: any(len(t) >= 2 for t in c)))
def test_divergence_of_equal_texts_is_zero(texts):
    value, error = ngrams.jensen_shannon(packed(texts * 2), packed(texts), 2)
    assert value == pytest.approx(0, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-12)


def test_divergence_of_disjoint_texts_is_one_bit():
    assert ngrams.jensen_shannon(packed([[4, 5], [4, 4]]), packed([[6, 7]]), 1)[0] == 1.0


def test_samples_without_any_ngram_share_nothing_with_real_texts():
    assert ngrams.jensen_shannon(packed([[], [4]]), packed([[4, 5]]), 2) == (1.0, 0.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(text.filter(len), min_size=2, max_size=8), corpus.filter(any), st.integers(1, 2))
def test_divergence_is_the_square_of_scipys_distance(samples, real, n):
    mine, theirs = counted(samples, n), counted(real, n)
    if not mine or not theirs:
        return
    kinds = sorted(set(mine) | set(theirs))
    p, q = ([counts[k] for k in kinds] for counts in (mine, theirs))
    found, _ = ngrams.jensen_shannon(packed(samples), packed(real), n)
    assert found == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-9)


def test_the_error_of_the_divergence_is_its_spread_over_fresh_samples():
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.ones(12))

    def sample(count):
        return packed([random.choice(12, random.integers(2, 8), p=chances) for _ in range(count)])

    real = packed([random.integers(0, 12, 6) for _ in range(300)])
    found = [ngrams.jensen_shannon(sample(150), real, 1) for _ in range(150)]
    spread = np.std([value for value, _ in found])
    assert np.mean([error for _, error in found]) == pytest.approx(spread, rel=0.2)


@given(corpus.filter(lambda c: len(c) > 1), st.integers(1, 3))
def test_distinct_is_kinds_over_occurrences(texts, n):
    counts = counted(texts, n)
    value, _ = ngrams.distinct(packed(texts), n)
    assert value == (len(counts) / counts.total() if counts else 0.0)


@given(st.lists(text, min_size=3, max_size=8), st.integers(1, 2))
def test_the_errors_are_those_of_leaving_each_text_out(texts, n):
    rest = [texts[:i] + texts[i + 1 :] for i in range(len(texts))]
    for measure in (lambda t: ngrams.distinct(t, n), ngrams.unique):
        left = np.array([measure(packed(part))[0] for part in rest])
        count = len(texts)
        wanted = np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
        assert measure(packed(texts))[1] == pytest.approx(wanted, abs=1e-9)


def test_unique_is_the_share_of_different_texts():
    assert ngrams.unique(packed([[4], [4], [5], [4, 5]]))[0] == 3 / 4


def test_a_copy_is_a_whole_training_text_and_no_part_of_one():
    train = packed([[4, 5, 6], []])
    found = ngrams.copied(packed([[4, 5, 6], [4, 5], [6, 5, 4], []]), train)
    assert found.tolist() == [1.0, 0.0, 0.0, 1.0]
