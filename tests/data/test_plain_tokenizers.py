"""Tokens between spaces, as published benchmarks count them, and single characters."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from genline.data.prepared import EOS, PAD, UNK
from genline.data.tokenizer import TextTokenizer

# As the Penn Treebank's lines are.
CUT = ["the cat sat on the <unk>", "the N cats of mr. <unk> sat", "a cat and a <unk> of N"]
CHINESE = ["今天天气很好。", "今天我们去公园吧！"]


def test_tokens_between_spaces_come_back_as_they_stood() -> None:
    tokenizer = TextTokenizer.train(CUT, 100, "whitespace")
    for text, ids in zip(CUT, tokenizer.encode(CUT), strict=True):
        assert len(ids) == len(text.split())
        assert tokenizer.decode(ids) == text


def test_a_corpus_own_unknown_word_is_the_unknown_token() -> None:
    tokenizer = TextTokenizer.train(CUT, 100, "whitespace")
    known, strange = tokenizer.encode(["the <unk>", "the zebra"])
    assert known.tolist() == strange.tolist() == [known[0], UNK]
    words = {word for text in CUT for word in text.split()} - {"<unk>"}
    assert tokenizer.size == len(words) + 4


def test_no_word_is_a_mark() -> None:
    tokenizer = TextTokenizer.train(["<pad> <eos> x"] * 3, 100, "whitespace")
    (ids,) = tokenizer.encode(["<pad> <eos> x"])
    assert not {PAD, EOS} & set(ids.tolist())


def test_ids_follow_frequency_in_either() -> None:
    words = TextTokenizer.train(["b a b c", "b a"], 6, "whitespace")
    assert words.encode(["b a c"])[0].tolist() == [4, 5, UNK]
    characters = TextTokenizer.train(["bab", "b"], 100, "character")
    assert characters.encode(["ba"])[0].tolist() == [4, 5]


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_text_of_known_characters_comes_back(text: str) -> None:
    tokenizer = TextTokenizer.train([text, "x"], 65536, "character")
    (ids,) = tokenizer.encode([text])
    assert len(ids) == len(text)
    assert tokenizer.decode(ids) == text


def test_an_unknown_character_is_shown() -> None:
    tokenizer = TextTokenizer.train(CHINESE, 100, "character")
    (ids,) = tokenizer.encode(["今天鱼很好𠮷。"])
    assert tokenizer.decode(ids) == "今天<unk>很好<unk>。"
    assert [int(i) for i in ids].count(UNK) == 2
