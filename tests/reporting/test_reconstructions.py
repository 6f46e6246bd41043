from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.reporting.reconstructions import kept

SENTENCES = ["Return the mean value", "Raise this error again", "Copy every list into another"]
texts = st.text("abcd efgh", max_size=30)


def test_a_perfect_copy_keeps_everything() -> None:
    found = kept([(text, text) for text in SENTENCES])
    assert found is not None
    assert (found.exact, found.share, found.low, found.high) == (3, 1.0, 1.0, 1.0)
    assert found.chance == 0
    assert found.phrase == "most"
    assert "3 come back word for word" in found.sentence


def test_shares_are_of_the_long_words_of_all_originals_together() -> None:
    found = kept([("alpha beta gamma of", "alpha of the"), ("delta", "omega beta")])
    assert found is not None
    assert found.share == pytest.approx(1 / 4)
    # Against the other's reconstruction: beta of the first's three, none of the second's one.
    assert found.chance == pytest.approx(1 / 4)
    assert found.exact == 0


def test_the_same_reconstruction_of_everything_keeps_nothing_beyond_chance() -> None:
    pairs = [(text, "Return this list") for text in SENTENCES]
    found = kept(pairs)
    assert found is not None
    assert found.share == pytest.approx(found.chance)
    assert found.phrase.startswith("nothing, beyond chance")


def test_case_marks_and_short_words_do_not_count() -> None:
    found = kept([("The ALPHA, of it", "alpha!"), ("Is it beta?", "of the beta")])
    assert found is not None
    assert found.share == 1


def test_half_of_the_words_is_a_part() -> None:
    pairs = [(f"word{c}{c} other{c}{c}", f"word{c}{c} nothing") for c in "abcdefghij"]
    found = kept([(a.translate(DIGITS), b.translate(DIGITS)) for a, b in pairs])
    assert found is not None
    assert found.share == pytest.approx(1 / 2)
    assert found.phrase == "part"


DIGITS = str.maketrans("", "", "0123456789")


def test_the_interval_is_that_of_the_mean_where_all_sentences_have_as_many_words() -> None:
    import numpy as np
    from scipy import stats

    words = ["kkkk", "llll"]
    own = [0, 1, 2, 1, 0, 0, 1, 2, 2, 1]
    pairs = [(" ".join(words), " ".join(words[:n])) for n in own]
    found = kept(pairs)
    assert found is not None
    shares = np.array(own) / 2
    half = stats.norm.ppf(0.975) * stats.sem(shares)
    assert found.share == pytest.approx(shares.mean())
    assert found.high - found.low == pytest.approx(2 * half)


def test_too_little_to_tell_gives_no_figure() -> None:
    assert kept([]) is None
    assert kept([("alpha", "alpha")]) is None
    assert kept([("of it", "of"), ("an", "it")]) is None


@given(st.lists(st.tuples(texts, texts), max_size=20))
def test_shares_are_shares(pairs: list[tuple[str, str]]) -> None:
    found = kept(pairs)
    if found is not None:
        assert 0 <= found.low <= found.share <= found.high <= 1
        assert 0 <= found.chance <= 1
        assert 0 <= found.exact <= found.count == len(pairs)


def test_of_chinese_sentences_characters_are_counted() -> None:
    pairs = [("我们去公园。", "我们去学校。"), ("他在家里看书。", "他在家里唱歌。")]
    found = kept(pairs)
    assert found is not None
    assert found.share == 7 / 11
    assert "of the characters (" in found.sentence
