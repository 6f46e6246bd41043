"""What counts as a word, in scripts with spaces and without."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genline.data.preparation.near_duplicates import distinct
from genline.data.tokenizer.words import count_pieces
from genline.data.words import count_words, count_words_and_marks, unspaced_share


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x24F, exclude_categories=["Cc"])))
def test_words_and_marks_are_what_the_word_tokenizer_has_as_tokens(text: str) -> None:
    assert count_words_and_marks(text) == count_pieces(text)


@pytest.mark.parametrize(
    ("text", "words", "with_marks"),
    [
        ("I don't know well-known things, do I?", 7, 9),
        ("我爱北京。", 4, 5),
        ("我用Python 3写的", 6, 6),
        ("カタカナとひらがな", 9, 9),
        ("한국어 문장.", 2, 3),
        ("", 0, 0),
    ],
)
def test_a_character_is_a_word_where_no_spaces_part_them(
    text: str, words: int, with_marks: int
) -> None:
    assert count_words(text) == words
    assert count_words_and_marks(text) == with_marks


def test_the_share_of_scripts_without_spaces_is_that_of_the_letters() -> None:
    assert unspaced_share("我们 ab, 12") == 0.5
    assert unspaced_share("All English.") == unspaced_share("12 !") == 0.0
    assert unspaced_share("ภาษาไทย") == 1.0


def test_chinese_texts_that_nearly_repeat_each_other_are_found() -> None:
    texts = [
        "今天天气很好，我们一起去公园散步吧。",
        "今天天气很好，我们一起去公园散步呀！",
        "他昨天没有来。",
    ]
    assert distinct(texts, 0.8) == [0, 2]
