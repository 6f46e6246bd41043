"""Byte pairs and the unigram model: any text comes back whole, and both engines agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from genline.core.errors import DataError
from genline.data.prepared import BOS, EOS, PAD, SPECIAL_TOKENS, UNK
from genline.data.tokenizer import TextTokenizer, piece_counter
from genline.data.tokenizer.text_tokenizer import token_dtype
from genline.data.tokenizer.thinning import thinned

TEXTS = [
    "The cat sat on the mat, and the other cats sat there too.",
    "Don't you think the cat's mat is better than that mat?",
    "今天天气很好，我们去公园吧！今天我们很好。",
    "Ich heiße Jürgen und wohne in Köln; там тоже есть кошка.",
    "In 2026 there were 1,234 cats\tand\n\n17 dogs … 🐈🐈",
] * 4
TOKENIZERS = {kind: TextTokenizer.train(TEXTS, 400, kind) for kind in ("bpe", "unigram")}
KINDS = pytest.mark.parametrize("kind", list(TOKENIZERS))
# Any Unicode text, and texts of what is near the edges of the pattern and of the merges.
ANY = st.text() | st.text(alphabet="theca s't\n\t 's.!今天很 \u00a0\u3000é")


def by_the_library(tokenizer: TextTokenizer, text: str) -> list[int]:
    found: list[int] = tokenizer.scheme.tokenizer.encode(text, add_special_tokens=False).ids
    return found


@KINDS
@given(text=ANY)
@settings(max_examples=100, deadline=None)
def test_any_text_comes_back_as_it_was(kind: str, text: str) -> None:
    (ids,) = TOKENIZERS[kind].encode([text])
    assert TOKENIZERS[kind].decode(ids) == text


@given(text=ANY)
@settings(max_examples=200, deadline=None)
def test_both_engines_of_byte_pairs_give_the_same_ids(text: str) -> None:
    (ids,) = TOKENIZERS["bpe"].encode([text])
    assert ids.tolist() == by_the_library(TOKENIZERS["bpe"], text)


@given(
    corpus=st.lists(st.text(alphabet="aab ", max_size=30), min_size=1),
    text=st.text("ab ", max_size=40),
)
@settings(max_examples=40, deadline=None)
def test_both_engines_agree_where_merges_overlap(corpus: list[str], text: str) -> None:
    tokenizer = TextTokenizer.train(corpus, 290, "bpe")
    for one in (text, *corpus):
        assert tokenizer.encode([one])[0].tolist() == by_the_library(tokenizer, one)


def test_both_engines_cut_every_script_alike() -> None:
    """One code point of 541 between letters, numbers and marks; all were tried once."""
    points = [c for c in range(0, 0x110000, 541) if not 0xD800 <= c < 0xE000]
    texts = [f"a{chr(c)}1{chr(c)}!{chr(c)}a {chr(c)}" for c in points]
    # As tokens of their own, so that a cut in another place gives other ids.
    tokenizer = TextTokenizer.train(texts, 4000, "bpe")
    for text, ids in zip(texts, tokenizer.encode(texts), strict=True):
        assert ids.tolist() == by_the_library(tokenizer, text), hex(ord(text[1]))


@KINDS
def test_frequent_words_are_one_token(kind: str) -> None:
    (ids,) = TOKENIZERS[kind].encode([" the cat"])
    assert len(ids) <= 3
    assert len(ids) < len(" the cat") / 2


@KINDS
def test_no_text_spells_a_special_token(kind: str) -> None:
    text = "<pad><bos> <eos> <unk>"
    training = [text] * 50
    tokenizer = TextTokenizer.train(training, 500, kind)
    (ids,) = tokenizer.encode([text])
    assert min(ids) > UNK
    assert tokenizer.decode([BOS, *ids, EOS, PAD]) == text
    names = [tokenizer.scheme.tokenizer.id_to_token(i) for i in range(4)]
    assert tuple(names) == SPECIAL_TOKENS


@KINDS
def test_bytes_that_no_training_text_has_are_tokens_too(kind: str) -> None:
    tokenizer = TextTokenizer.train(["a b"], 260, kind)
    assert tokenizer.size == 260
    text = "Żółć 漢字 \x00\x7f\U0010ffff"
    assert tokenizer.decode(tokenizer.encode([text])[0]) == text


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    (ids,) = TOKENIZERS["bpe"].encode(["鱼"])  # in no training text, so it is three bytes
    assert len(ids) == 3
    assert TOKENIZERS["bpe"].decode(ids[:2]) == "\N{REPLACEMENT CHARACTER}"


@KINDS
def test_the_file_alone_makes_the_same_tokenizer(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(TOKENIZERS[kind].to_json(), encoding="utf-8")
    loaded = TextTokenizer.load(path)
    assert loaded.to_json() == TOKENIZERS[kind].to_json()
    for own, other in zip(TOKENIZERS[kind].encode(TEXTS), loaded.encode(TEXTS), strict=True):
        assert np.array_equal(own, other)
    # And without genline.
    library = Tokenizer.from_file(str(path))
    assert library.decode(library.encode(TEXTS[0]).ids) == TEXTS[0]


def test_every_process_trains_the_same_tokenizer() -> None:
    """What the library's own unigram trainer does not do: its sums follow a random hash order."""
    code = (
        "import hashlib, json, sys; from genline.data.tokenizer import TextTokenizer\n"
        "for kind in ('bpe', 'unigram'):\n"
        "    made = TextTokenizer.train(json.loads(sys.argv[1]), 400, kind)\n"
        "    print(hashlib.sha256(made.to_json().encode()).hexdigest())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(TEXTS)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] != ""


@pytest.mark.parametrize("kind", ["word", "whitespace", "character", "bpe", "unigram"])
def test_a_file_says_which_tokenizer_it_is(kind: str, tmp_path: Path) -> None:
    made = TextTokenizer.train(TEXTS, 300, kind)
    path = tmp_path / "tokenizer.json"
    path.write_text(made.to_json(), encoding="utf-8")
    assert type(TextTokenizer.load(path).scheme) is type(made.scheme)


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path) -> None:
    content = json.loads(TOKENIZERS["bpe"].to_json()) | {"pre_tokenizer": {"type": "Whitespace"}}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"not a tokenizer \(its model is BPE, cut by Whitespace"):
        TextTokenizer.load(path)


def test_flat_ids_are_those_of_the_texts_in_the_smallest_type() -> None:
    for tokenizer in TOKENIZERS.values():
        flat, lengths = tokenizer.encode_flat(["", *TEXTS])
        assert flat.dtype == np.uint16
        parts = np.split(flat, np.cumsum(lengths)[:-1])
        wanted = tokenizer.encode(["", *TEXTS])
        assert all(map(np.array_equal, parts, wanted))
    assert tokenizer.encode_flat([])[1].shape == (0,)
    types = [token_dtype(size).name for size in (8, 256, 257, 65536, 65537)]
    assert types == ["uint8", "uint8", "uint16", "uint16", "uint32"]


def test_tokens_are_counted_beforehand_where_that_is_possible() -> None:
    for kind in ("word", "whitespace", "character"):
        count = piece_counter(kind)
        assert count is not None
        tokenizer = TextTokenizer.train(TEXTS, 500, kind)
        assert [count(t) for t in TEXTS] == [len(ids) for ids in tokenizer.encode(TEXTS)]
    assert piece_counter("bpe") is None
    assert piece_counter("unigram") is None


def test_of_more_texts_than_memory_holds_every_so_many_are_trained_on() -> None:
    texts = ["0123456789"] * 5 + ["一二三四五六七八九十"] * 5  # of weights 10 and 120
    assert list(thinned(texts, 650)) == texts
    assert list(thinned(texts, 649)) == texts[::2]
    assert list(thinned(texts, 65)) == texts[::10]
    assert list(thinned([], 1)) == []
