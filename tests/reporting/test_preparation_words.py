from __future__ import annotations

from finished_line import prepared

from genline.reporting.preparation import preparation


def test_every_reason_of_the_text_preparation_is_in_words() -> None:
    meta = prepared("docstrings")
    meta["dropped"]["empty"] = 1
    found = preparation("text", 1798, meta)
    assert [words for words, _ in found.dropped] == [
        "longer than 16 tokens",
        "with a word outside the vocabulary of 3,000",
        "nearly the same as another",
        "empty",
    ]
    assert found.used + sum(count for _, count in found.dropped) == found.total


def test_a_reason_not_known_is_still_told() -> None:
    meta = prepared("digits") | {"dropped": {"too_small": 3}}
    assert preparation("image", 1800, meta).sentence.endswith("Left out: 3 too small.")


def test_where_all_is_used_nothing_is_said_to_be_left_out() -> None:
    assert "Left out" not in preparation("image", 1797, prepared("digits")).sentence


def test_the_lengths_of_texts_of_subwords_are_told_in_characters_too() -> None:
    lengths = {"characters": {"mean": 21.34, "most": 1040}, "tokens": {"mean": 9.0, "most": 512}}
    meta = prepared("docstrings") | {"lengths": lengths, "tokenizer": "bpe"}
    assert preparation("text", 1798, meta).sentence.endswith(
        ". A text has 21.3 characters on average and 1,040 at most, in 9.0 and 512 tokens (bpe)."
    )


def test_where_items_are_split_into_sentences_these_are_the_texts() -> None:
    meta = prepared("docstrings") | {"texts": 90_000}
    assert " of 90,000 texts are used" in preparation("text", 1798, meta).sentence
