"""What splits share is found, named from both sides, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from scipy.fft import dctn

from genline.data.sources.items import ImageItem, Keys, TextItem
from genline.data.validation import image_statistics
from genline.data.validation.across import relate
from genline.data.validation.tables import image_table, text_table

RANDOM = np.random.default_rng(5)
WORDS = [f"word{i}" for i in range(500)]


def prose(length: int = 60) -> list[str]:
    return [str(word) for word in RANDOM.choice(WORDS, length)]


def texts(*rows: tuple[str, str]) -> Any:
    items = [TextItem(f"line {i}", t, "", Keys(s)) for i, (s, t) in enumerate(rows, start=1)]
    table = text_table(items)
    relate(table, lambda: iter(items), "text", 0.8)
    return table.rows.set_index("item")


def images(*rows: tuple[str, np.ndarray], similar: float = 0.99) -> Any:
    items = [ImageItem(f"row {i}", p, 0, Keys(s)) for i, (s, p) in enumerate(rows, start=1)]

    def read() -> Iterator[ImageItem]:
        return iter(items)

    table = image_table(read(), 256)
    relate(table, read, "image", similar)
    return table.rows.set_index("item")


def marked(rows: Any, column: str) -> list[str]:
    return list(rows.index[rows[column]])


def smooth(size: int = 28, channels: int = 1) -> np.ndarray:
    """A picture with large shapes, as real ones have."""
    waves = np.zeros((channels, size, size))
    waves[:, :12, :12] = RANDOM.normal(size=(channels, 12, 12))
    places = (2 * np.arange(size) + 1) * np.pi / (2 * size)
    basis = np.cos(np.outer(np.arange(size), places))
    grey = basis.T @ waves @ basis
    return np.rint(255 * (grey - grey.min()) / np.ptp(grey)).astype(np.uint8)


def test_a_test_item_that_trains_is_a_leak_and_names_its_twin() -> None:
    same, other = " ".join(prose()), " ".join(prose())
    rows = texts(("train", other), ("train", same), ("test", same), ("valid", " ".join(prose())))
    assert marked(rows, "equal_across") == ["line 2", "line 3"]
    assert marked(rows, "leaked") == ["line 3"]
    assert rows["twin"].tolist() == ["", "line 3", "line 2", ""]
    assert not rows["near_across"].any()


def test_what_validation_shares_with_train_is_across_and_no_leak() -> None:
    same = " ".join(prose())
    rows = texts(("train", same), ("valid", same), ("test", " ".join(prose())))
    assert marked(rows, "equal_across") == ["line 1", "line 2"]
    assert not rows["leaked"].any()


def test_a_text_with_few_words_changed_is_a_near_copy_and_one_with_many_is_none() -> None:
    one, two = prose(100), prose(100)
    little, much = [*one[:97], "x", "y", "z"], [*two[:60], *prose(40)]
    rows = texts(
        *(("train", " ".join(w)) for w in (one, two)),
        *(("test", " ".join(w)) for w in (little, much)),
    )
    assert marked(rows, "near_across") == ["line 1", "line 3"]
    assert marked(rows, "leaked") == ["line 3"]
    assert rows.loc["line 3", "twin"] == "line 1"


def test_near_copies_are_found_among_thousands_as_comparing_all_would() -> None:
    train = [prose(40) for _ in range(2000)]
    copies = [[*train[i][:39], "changed"] for i in range(0, 2000, 20)]
    rows = texts(*(("train", " ".join(w)) for w in train), *(("test", " ".join(w)) for w in copies))
    found = rows.loc[marked(rows, "leaked"), "twin"].tolist()
    # Jaccard 37 / 39: less than one in ten thousand is missed.
    assert found == [f"line {i + 1}" for i in range(0, 2000, 20)]


def test_copies_within_a_split_or_without_one_are_not_across() -> None:
    same = " ".join(prose())
    for split in ("train", ""):
        rows = texts((split, same), (split, same))
        assert not rows[["equal_across", "near_across", "leaked"]].any(axis=None)
        assert (rows["twin"] == "").all()


def brighter(image: np.ndarray) -> np.ndarray:
    return np.clip(image * 0.8 + 20, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_brighter_or_noisy_picture_is_a_near_copy(channels: int) -> None:
    first, second, third = (smooth(channels=channels) for _ in range(3))
    noisy = np.clip(second + RANDOM.normal(0, 3, second.shape), 0, 255).astype(np.uint8)
    rows = images(
        ("train", first),
        ("train", second),
        ("train", third),
        ("test", brighter(first)),
        ("test", noisy),
        ("test", smooth(channels=channels)),
    )
    assert marked(rows, "leaked") == ["row 4", "row 5"]
    assert rows["twin"].tolist() == ["row 4", "row 5", "", "row 1", "row 2", ""]
    assert not rows["equal_across"].any()


def test_blank_pictures_are_near_copies_of_none() -> None:
    rows = images(*((s, np.full((1, 8, 8), v, np.uint8)) for s, v in (("train", 3), ("test", 4))))
    assert not rows["near_across"].any()


def test_pictures_of_other_sizes_are_compared_with_their_own_size() -> None:
    one, two = smooth(28), smooth(40)
    rows = images(("train", one), ("train", two), ("test", brighter(two)), ("test", brighter(one)))
    assert rows["twin"].tolist() == ["row 4", "row 3", "row 2", "row 1"]


def test_pictures_are_as_near_as_their_levels_correlate() -> None:
    first = smooth()
    other = np.clip(first + RANDOM.normal(0, 12, first.shape), 0, 255).astype(np.uint8)
    correlation = np.corrcoef(first.ravel(), other.ravel())[0, 1]
    for similar, found in ((correlation - 0.001, True), (correlation + 0.001, False)):
        rows = images(("train", first), ("test", other), similar=similar)
        assert rows["leaked"].any() == found


def test_low_frequencies_are_those_of_the_cosine_transform() -> None:
    pixels = RANDOM.integers(0, 256, (3, 1, 20, 13))
    wanted = dctn(pixels[:, 0] / 255, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(3, 64)
    assert image_statistics.low_frequencies(pixels, 256) == pytest.approx(wanted, abs=1e-6)


def hashes(found: Iterable[np.ndarray]) -> np.ndarray:
    waves = image_statistics.low_frequencies(np.stack(list(found)), 256)
    return image_statistics.perceptual_hashes(waves)


def test_a_perceptual_hash_is_much_the_same_of_a_picture_made_smaller_or_brighter() -> None:
    big = smooth(56)
    small = np.rint(big.reshape(1, 28, 2, 28, 2).mean(axis=(2, 4)))
    (own,), (halved,) = hashes([big]), hashes([small])
    _, bright, strange = hashes([big, brighter(big), smooth(56)])
    assert np.bitwise_count(own ^ halved) <= 6
    assert np.bitwise_count(own ^ bright) <= 2
    assert np.bitwise_count(own ^ strange) > 16


def test_blank_pictures_have_one_hash_whatever_their_level() -> None:
    assert len(set(hashes(np.full((1, 9, 9), v) for v in (0, 1, 77, 255)).tolist())) == 1
