"""Near-duplicates: the fast search finds what comparing every pair finds."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genline.data.preparation.near_duplicates import distinct

WORDS = st.lists(st.sampled_from("abc"), min_size=0, max_size=9)


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """The word 3-grams of ``text``, case and punctuation aside; all its words if it has fewer."""
    words = re.findall(r"\w+", text.lower())
    count = max(len(words) - 2, 1)
    return frozenset(tuple(words[i : i + 3]) for i in range(count))


def brute_force(texts: list[str], threshold: str) -> list[int]:
    sets = [shingles(text) for text in texts]
    kept: list[int] = []
    for index, x in enumerate(sets):
        if all(Fraction(len(x & sets[k]), len(x | sets[k])) < Fraction(threshold) for k in kept):
            kept.append(index)
    return kept


@settings(max_examples=200, deadline=None)
@given(
    st.lists(WORDS.map(" ".join), max_size=14),
    st.sampled_from(["0.05", "0.1", "0.25", "0.3", "0.5", "0.6", "0.75", "0.9", "1.0"]),
)
def test_the_search_is_exact(texts: list[str], threshold: str) -> None:
    assert distinct(texts, float(threshold)) == brute_force(texts, threshold)


def test_a_similarity_that_just_reaches_the_threshold_counts() -> None:
    # 3 of 5 three-grams shared: 3/5, which floats cannot hold exactly.
    texts = ["a b c d e f", "x b c d e f", "unrelated words stand here"]
    assert len(shingles(texts[0]) & shingles(texts[1])) == 3
    assert len(shingles(texts[0]) | shingles(texts[1])) == 5
    assert distinct(texts, 0.6) == [0, 2]
    assert distinct(texts, 0.61) == [0, 1, 2]


def test_case_and_punctuation_do_not_make_a_text_different() -> None:
    assert distinct(["Return the first item.", "return the First item!"], 1) == [0]


@pytest.mark.parametrize("text", ["", "one", "one two"])
def test_a_text_of_fewer_than_three_words_is_one_gram(text: str) -> None:
    assert len(shingles(text)) == 1
    assert distinct([text, text, "three words more"], 0.5) == [0, 2]
