"""Statistics of many texts at once, against the plain way of counting each alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genline.data.sources.items import Keys, TextItem
from genline.data.unicode import unicode_tables
from genline.data.validation.tables import Table, text_table
from genline.data.validation.text_statistics import SCRIPTS, grams, statistics

LATIN = st.text(st.characters(codec="latin-1"), max_size=40)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def table_of(*texts: str, split: str = "") -> Table:
    return text_table(TextItem(f"line {i}", t, "", Keys(split)) for i, t in enumerate(texts))


@settings(max_examples=60, deadline=None)
@given(st.lists(LATIN, min_size=1, max_size=8))
def test_many_texts_at_once_are_counted_as_each_alone(texts: list[str]) -> None:
    found, _ = statistics(texts, 4)
    for i, text in enumerate(texts):
        words = re.findall(r"\w+", text.lower())
        most = max(Counter(words).values(), default=0)
        solid = re.sub(r"\s", "", text)
        assert found["characters"][i] == len(text)
        assert found["words"][i] == len(text.split())
        assert found["control_characters"][i] == len(CONTROL.findall(text))
        assert found["repetition"][i] == (most / len(words) if len(words) > 3 else 0)
        letters = len(re.findall("[A-Za-z]", text))
        assert found["ascii_letters"][i] == (letters / len(solid) if solid else 0)


def test_words_of_every_python_space_are_parted() -> None:
    spaces = [chr(c) for c in range(0x3001) if chr(c).isspace()]
    (row,) = table_of("a" + "a".join(spaces) + "a").rows.to_dict("records")
    assert row["words"] == len(spaces) + 1


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop, now!", 7),  # Don ' t stop , now !
        ("我爱北京。", 5),  # four ideographs and a full stop
        ("東京タワー is tall", 7),  # 東 京 タ ワ ー and two words
        ("ภาษาไทย ok", 8),  # no space parts words of Thai either
        ("हिन्दी भाषा", 2),  # vowel signs belong to their words
        ("  \t\n", 0),
        ("\x00\x01", 0),
    ],
)
def test_tokens_are_words_marks_and_single_ideographs(text: str, tokens: int) -> None:
    assert table_of(text).rows["tokens"].tolist() == [tokens]


@pytest.mark.parametrize(
    ("text", "script", "shares"),
    [
        ("plain English, 42 times", "Latin", {"latin": 1}),
        ("Привет!", "Cyrillic", {"cyrillic": 1}),
        ("東京タワー", "Han", {"han": 0.5, "kana": 0.5}),
        ("안녕 hey", "Latin", {"hangul": 0.4, "latin": 0.6}),
        ("გამარჯობა abc", "Georgian", {"other_scripts": 0.75, "latin": 0.25}),
        ("12:30 – !", "", {}),
        ("", "", {}),
    ],
)
def test_shares_are_of_letters_by_their_unicode_script(
    text: str, script: str, shares: dict[str, float]
) -> None:
    (row,) = table_of(text).rows.to_dict("records")
    assert row["script"] == script
    found = {name: row[name] for name in (*SCRIPTS, "other_scripts") if row[name]}
    assert found == pytest.approx(shares)


@pytest.mark.parametrize("script", ["Cyrillic", "Armenian", "Hebrew", "Thai", "Devanagari"])
def test_letters_have_the_script_that_their_names_begin_with(script: str) -> None:
    tables = unicode_tables()
    number = tables.scripts.index(script)
    named = [
        c
        for c in range(0x10000)
        if unicodedata.category(chr(c))[0] == "L"
        and unicodedata.name(chr(c), "").startswith(f"{script.upper()} ")
    ]
    assert len(named) > 20
    assert set(tables.script[named].tolist()) == {number}


def test_a_lone_surrogate_has_a_row() -> None:
    assert table_of("a \ud800 b").rows["words"].tolist() == [3]


TEXT = "the quick brown fox jumps over the lazy dog and runs away from it all at once today"


def test_equal_words_have_equal_grams_wherever_they_stand_and_whatever_their_case() -> None:
    moved = grams(f"well, {TEXT.upper()}!")
    assert len(grams(TEXT)) == len(TEXT.split()) - 2
    assert set(grams(TEXT).tolist()) < set(moved.tolist())
    assert len(moved) == len(grams(TEXT)) + 1


def test_min_hashes_agree_in_the_share_of_grams_that_two_texts_have() -> None:
    words = [f"word{i}" for i in range(400)]
    texts = [" ".join(words), " ".join(words[:300]), " ".join(words[100:])]
    _, found = statistics(texts, 2048)
    sets = [set(grams(text).tolist()) for text in texts]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        jaccard = len(sets[i] & sets[j]) / len(sets[i] | sets[j])
        agreeing = (found[i] == found[j]).mean()
        assert agreeing == pytest.approx(jaccard, abs=4 * np.sqrt(0.25 / 2048))


def test_texts_that_differ_in_case_and_marks_alone_have_one_near_key() -> None:
    keys = table_of("One two, three four.", "one TWO three: four!", "One two three five.").rows
    assert keys["near_key"].duplicated().tolist() == [False, True, False]


def test_texts_without_words_are_not_alike_for_want_of_them() -> None:
    assert not table_of("!!!", "???", "").rows["near_key"].duplicated().any()


def test_texts_come_out_alike_in_any_company() -> None:
    texts = ["short", TEXT, "", "我爱北京。", TEXT + " again"] * 3
    together = table_of(*texts).rows.drop(columns="item")
    alone = [table_of(text).rows.drop(columns="item") for text in texts]
    for i, one in enumerate(alone):
        assert together.iloc[i].to_dict() == one.iloc[0].to_dict()
