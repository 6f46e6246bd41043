"""MinHash: what the theory promises, and the exact search as the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genline.data import min_hash
from genline.data import shingles as shingles_module
from genline.data.engines.ordered import Here
from genline.data.min_hash import Banding, band_keys, set_keys, signatures
from genline.data.preparation import distinct
from genline.data.preparation.equal import first_of_equal
from genline.data.preparation.near_duplicates import distinct as exact
from genline.data.preparation.text_store import TextStore, write_part
from genline.data.shingles import grams

WORDS = [f"{a}{b}" for a in "bcdfghjklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er")]


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 3]) for i in range(max(len(words) - 2, 1))}


def stored(folder: Path, texts: list[str], part: int = 40) -> TextStore:
    """Texts in parts of so many."""
    counts = []
    for number, start in enumerate(range(0, len(texts), part)):
        own = texts[start : start + part]
        write_part(folder, number, own, [(-1, 0, 0)] * len(own))
        counts.append(len(own))
    return TextStore(folder, tuple(counts))


def by_min_hash(folder: Path, texts: list[str], threshold: float) -> list[int]:
    store = stored(folder, texts)
    kept = distinct.by_min_hash(store, np.arange(len(texts)), threshold, Here())
    return np.flatnonzero(kept).tolist()


def corpus(count: int, seed: int) -> list[str]:
    """Texts of which every third is another one with some words changed."""
    random = np.random.default_rng(seed)
    texts: list[str] = []
    for number in range(count):
        words = random.choice(WORDS, 24).tolist()
        if number % 3 == 2:
            words = texts[random.integers(len(texts))].split()
            for place in random.integers(0, len(words), random.integers(0, 4)):
                words[place] = "changed"
        texts.append(" ".join(words))
    return texts


def test_three_grams_are_shared_where_words_are() -> None:
    texts = ["A cat sat, on a mat", "a CAT sat on the mat!", "two words", "", "...", "two words"]
    found, begins = grams(texts)
    sets = [set(own.tolist()) for own in np.split(found, begins[1:])]
    assert [len(s) for s in sets] == [4, 4, 1, 1, 1, 1]
    assert len(sets[0] & sets[1]) == 2  # a cat sat, cat sat on
    assert sets[2] == sets[5] != sets[3] == sets[4]
    keys = set_keys(found, begins).tolist()
    assert [keys.index(key) for key in keys] == [0, 1, 2, 3, 3, 2]


def test_grams_do_not_depend_on_what_is_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["one two three four", "", "東京タワー and more", "one", "a b c d e f g"] * 4
    whole = grams(texts)
    monkeypatch.setattr(shingles_module, "_TOGETHER", 1)
    alone = grams(texts)
    assert all(np.array_equal(x, y) for x, y in zip(whole, alone, strict=True))
    hashes = signatures(*whole, 6)
    monkeypatch.setattr(min_hash, "_TOGETHER", 1)
    assert np.array_equal(signatures(*whole, 6), hashes)
    assert grams([])[1].shape == (0,)


def test_two_texts_share_a_band_as_often_as_their_similarity_says() -> None:
    # One band of one row: the probability of sharing it is the Jaccard similarity itself.
    random = np.random.default_rng(0)
    banding = Banding(bands=1, rows=1)
    shared = expected = 0.0
    trials = 1000
    for trial in range(trials):
        common = [f"{trial}x{i}" for i in range(20)]
        own = [f"{trial}y{i}" for i in range(random.integers(1, 30))]
        pair = [" ".join(common), " ".join(common + own)]
        keys = band_keys(signatures(*grams(pair), banding.bands * banding.rows), banding.rows)
        shared += keys[0, 0] == keys[1, 0]
        x, y = map(shingles, pair)
        expected += len(x & y) / len(x | y)
    # Three standard errors of a mean of so many draws, each of at most 1/4 variance.
    assert abs(shared - expected) / trials < 3 * 0.5 / trials**0.5


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5, 0.6, 0.8, 0.95, 1.0])
def test_pairs_at_the_threshold_are_found_and_dissimilar_ones_seldom(threshold: float) -> None:
    banding = Banding.of(threshold)

    def found(similarity: float) -> float:
        return 1 - (1 - similarity**banding.rows) ** banding.bands

    assert found(threshold) >= 0.995
    if threshold >= 0.5:
        assert found(0.02) < 0.01


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
def test_the_twins_found_are_nearly_those_of_the_exact_search(
    tmp_path: Path, threshold: float
) -> None:
    texts = corpus(600, seed=3)
    kept, reference = by_min_hash(tmp_path, texts, threshold), exact(texts, threshold)
    assert len(reference) < 560
    assert len(set(kept) ^ set(reference)) <= 2


def test_no_text_goes_without_a_twin_that_is_kept(tmp_path: Path) -> None:
    texts = corpus(300, seed=4)
    kept = by_min_hash(tmp_path, texts, 0.6)
    for index in set(range(len(texts))) - set(kept):
        x = shingles(texts[index])
        others = (shingles(texts[other]) for other in kept if other < index)
        assert any(len(x & y) / len(x | y) >= 0.6 for y in others)


def test_a_crowd_of_alike_texts_leaves_one(tmp_path: Path) -> None:
    common = " ".join(WORDS[:60])
    texts = [f"{common} {number}" for number in range(500)]
    assert by_min_hash(tmp_path, texts, 0.8) == [0]


def test_texts_are_judged_in_the_order_asked_for(tmp_path: Path) -> None:
    texts = ["a b c d e f g h", "quite another text it is", "a b c d e f g i"]
    store = stored(tmp_path, texts, 2)
    kept = distinct.by_min_hash(store, np.array([2, 1, 0]), 0.6, Here())
    assert kept.tolist() == [False, True, True]


def test_a_part_may_be_without_texts(tmp_path: Path) -> None:
    for number, texts in enumerate(([], ["a b c d", "a b c d"], [], ["e f g"], [])):
        write_part(tmp_path, number, texts, [(-1, 0, 0)] * len(texts))
    store = TextStore(tmp_path, (0, 2, 0, 1, 0))
    assert distinct.by_min_hash(store, np.arange(3), 0.6, Here()).tolist() == [True, False, True]
    assert distinct.exactly(store, np.arange(3), 0.6).tolist() == [True, False, True]
    assert store.at(np.array([0, 2])) == ["a b c d", "e f g"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=80), st.integers(1, 100))
def test_the_first_of_equal_keys_is_found_whatever_is_sorted_together(
    keys: list[int], together: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genline.data.preparation.equal._TOGETHER", together)
        found = first_of_equal(np.array(keys, np.uint64))
    assert found.tolist() == [keys.index(key) for key in keys]
