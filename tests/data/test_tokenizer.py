"""The tokenizer: fixed marks, ids by frequency, and texts that come back as they were."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.trainers import WordLevelTrainer

from genline.core.errors import DataError
from genline.data.prepared import BOS, EOS, PAD, SPECIAL_TOKENS, UNK
from genline.data.tokenizer import TextTokenizer
from genline.data.tokenizer import words as words_module
from genline.data.tokenizer.scheme import Tally
from genline.data.tokenizer.words import Words, count_pieces

TEXTS = [
    "The cat sat on the mat.",
    "Return the HTTP status of the cat.",
    "Python doesn't use a two-dimensional mat, but the cat does.",
    "If None, the Python cat is used; otherwise 'mat' is used.",
    "Is it 'mat' or \"cat\"? It is the cat.",
    "Use at most 16 cats!",
    "See the manual (it is short).",
]
TOKENIZER = TextTokenizer.train(TEXTS, 1000)


def vocabulary(tokenizer: TextTokenizer) -> list[str]:
    return [tokenizer.scheme.tokenizer.id_to_token(i) for i in range(tokenizer.size)]


def test_a_number_at_the_start_passes_its_capital_to_no_word() -> None:
    (ids,) = TOKENIZER.encode(["16 cats is the most."])
    assert TOKENIZER.decode(ids).startswith("16 cats")


def words(text: str) -> list[str]:
    (ids,) = TOKENIZER.encode([text])
    return [vocabulary(TOKENIZER)[i] for i in ids]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_of_known_words_comes_back_as_it_was(text: str) -> None:
    (ids,) = TOKENIZER.encode([text])
    assert UNK not in ids
    assert TOKENIZER.decode(ids) == text


@given(
    st.lists(
        st.sampled_from(["the", "cat", "mat", "Python", "None", "is", "used", "16"]), min_size=1
    )
)
def test_any_sentence_of_known_words_comes_back(chosen: list[str]) -> None:
    text = " ".join(chosen) + "."
    (ids,) = TOKENIZER.encode([text])
    assert TOKENIZER.decode(ids) == text[0].upper() + text[1:]


def test_special_tokens_have_their_fixed_ids() -> None:
    ids = [vocabulary(TOKENIZER).index(token) for token in SPECIAL_TOKENS]
    assert ids == [PAD, BOS, EOS, UNK] == [0, 1, 2, 3]


def test_ids_follow_frequency() -> None:
    assert vocabulary(TOKENIZER)[4] == "the"


def test_the_first_word_of_a_sentence_loses_its_capital_if_it_has_none_elsewhere() -> None:
    assert words("The cat.")[0] == "the"
    assert words("Python cat.")[0] == "Python"
    assert words("The cat. The mat.")[3] == "the"


def test_inner_apostrophes_and_hyphens_stay_in_the_word() -> None:
    assert words("It doesn't use a two-dimensional mat.")[1:5] == [
        "doesn't",
        "use",
        "a",
        "two-dimensional",
    ]


def test_an_unknown_word_is_the_unknown_token_and_is_shown() -> None:
    (ids,) = TOKENIZER.encode(["The zebra sat."])
    assert ids[1] == UNK
    assert TOKENIZER.decode(ids) == "The <unk> sat."


def test_marks_are_not_part_of_a_text() -> None:
    (ids,) = TOKENIZER.encode(["The cat sat."])
    padded = np.concatenate([[BOS], ids, [EOS, PAD, PAD]])
    assert TOKENIZER.decode(padded) == "The cat sat."


def test_the_words_of_special_tokens_in_a_text_are_not_special() -> None:
    (ids,) = TOKENIZER.encode(["The <eos> cat <pad>."])
    assert EOS not in ids
    assert PAD not in ids


def by_the_library(texts: list[str], size: int) -> dict[str, int]:
    """The vocabulary as the trainer of ``tokenizers`` makes it of texts gone through twice."""
    elsewhere: Counter[str] = Counter()
    for text in texts:
        elsewhere.update(re.findall(words_module.PIECE, text))
        elsewhere.subtract(words_module._SENTENCE_START.findall(text))
    tokenizer = words_module._word_tokenizer({})
    trainer = WordLevelTrainer(
        vocab_size=size, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    lowered = words_module._lower_starts(texts, lambda word, low: elsewhere[low] >= elsewhere[word])
    tokenizer.train_from_iterator(lowered, trainer)
    return tokenizer.get_vocab()


TRICKY = [
    "The",
    "the",
    "It",
    "it",
    "A",
    "a",
    "É",
    "é",
    "İs",
    "Cafe\u0301",
    "²",
    "中文",
    "ǅ",
    "ß",
    "x1",
]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from([*TRICKY, " ", " ", ". ", "! ", "'", '"', "(", "-", "_", "\x1c"])
        ).map("".join)
        | st.text(max_size=20),
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_counting_in_parts_gives_the_vocabulary_of_all_texts(texts: list[str], parts: int) -> None:
    total = Tally()
    for part in range(parts):
        total.add(Words.count(texts[part::parts]))
    found = Words.from_counts(total, 1000)
    assert found.tokenizer.get_vocab() == by_the_library(texts, 1000)


def test_the_vocabulary_is_the_most_frequent_words() -> None:
    small = TextTokenizer.train(TEXTS, 8)
    assert small.size == 8
    assert vocabulary(small)[4:] == vocabulary(TOKENIZER)[4:8]


@given(st.text())
def test_pieces_are_counted_as_they_are_encoded(text: str) -> None:
    clean = " ".join(text.split())
    (ids,) = TOKENIZER.encode([clean])
    assert len(ids) == count_pieces(clean)


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(TOKENIZER.to_json(), encoding="utf-8")
    loaded = TextTokenizer.load(path)
    assert loaded.size == TOKENIZER.size
    for text in TEXTS:
        assert np.array_equal(loaded.encode([text])[0], TOKENIZER.encode([text])[0])
    assert TextTokenizer.train(TEXTS, 1000).to_json() == TOKENIZER.to_json()


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with pytest.raises(DataError, match=r"tokenizer\.json: no such file"):
        TextTokenizer.load(path)
    path.write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer\.json: not a tokenizer"):
        TextTokenizer.load(path)
