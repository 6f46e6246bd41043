"""The statistics of each item, against values worked out by hand or by NumPy and SciPy."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats

from genline.data.sources.items import ImageItem, TextItem
from genline.data.validation.image_statistics import entropies
from genline.data.validation.summary import summarise
from genline.data.validation.tables import IMAGE_COLUMNS, TEXT_COLUMNS, image_table, text_table

STRIPES = np.tile(np.array([0, 16], np.int64), 32).reshape(1, 8, 8)
FLAT = np.full((1, 8, 8), 5, np.int64)


def test_a_row_holds_the_statistics_of_an_image() -> None:
    table = image_table([ImageItem("one", STRIPES, 4), ImageItem("two", FLAT, None)], 17).rows
    assert list(table.columns) == list(IMAGE_COLUMNS)
    row = table.iloc[0].to_dict()
    assert (row["item"], row["label"], row["min"], row["max"]) == ("one", 4, 0, 16)
    assert (row["channels"], row["height"], row["width"]) == (1, 8, 8)
    assert (row["mean"], row["std"], row["entropy"]) == (8.0, 8.0, 1.0)
    assert table["near_constant"].tolist() == [False, True]
    assert table["label"].isna().tolist() == [False, True]


def test_equal_images_and_only_those_share_a_digest() -> None:
    shapes = [STRIPES, STRIPES.copy(), STRIPES.reshape(1, 4, 16), FLAT]
    table = image_table([ImageItem(str(i), s, 0) for i, s in enumerate(shapes)], 17).rows
    assert table["digest"].duplicated().tolist() == [False, True, False, False]


@given(npst.arrays(np.int64, (1, 4, 4), elements=st.integers(0, 16)))
def test_entropy_agrees_with_scipy(pixels: np.ndarray) -> None:
    _, counts = np.unique(pixels, return_counts=True)
    wanted = stats.entropy(counts, base=2)
    assert entropies(pixels.reshape(1, -1))[0] == pytest.approx(wanted, abs=1e-12)
    # As many levels as would need too large a table of them.
    wide = np.concatenate([pixels.reshape(1, -1), [[0, 0, *range(12), 2**30, 2**30]]])
    assert entropies(wide)[0] == pytest.approx(wanted, abs=1e-12)


def test_a_row_holds_the_statistics_of_a_text() -> None:
    text = "The the\x00 cat, \N{REPLACEMENT CHARACTER}the dog."
    (row,) = text_table([TextItem("line 1", text, "numpy")]).rows.to_dict("records")
    assert list(row) == list(TEXT_COLUMNS)
    assert (row["characters"], row["words"]) == (len(text), 5)
    assert (row["control_characters"], row["replacement_characters"]) == (1, 1)
    assert row["ascii_letters"] == pytest.approx(15 / 19)
    assert row["repetition"] == pytest.approx(3 / 5)
    assert row["digest"] == hashlib.sha256(text.encode()).hexdigest()


def test_an_empty_text_has_a_row() -> None:
    (row,) = text_table([TextItem("line 1", "", "")]).rows.to_dict("records")
    assert (row["characters"], row["words"], row["ascii_letters"], row["repetition"]) == (0,) * 4


def test_a_short_text_does_not_count_as_repeating_itself() -> None:
    texts = ["Yes yes.", "yes yes yes yes", ""]
    table = text_table([TextItem(t, t, "") for t in texts]).rows
    assert table["repetition"].tolist() == [0, 1, 0]


def test_the_summary_of_a_number_has_a_histogram_of_all_its_values() -> None:
    items = [ImageItem(str(i), STRIPES * i // 4, i % 2) for i in range(5)]
    columns = {column["name"]: column for column in summarise(image_table(items, 17).rows)}
    assert "item" not in columns
    assert "digest" not in columns
    largest = columns["max"]
    assert (largest["min"], largest["max"], largest["mean"]) == (0, 16, 8.0)
    assert largest["histogram"]["counts"][::4] == [1] * 5
    assert sum(columns["std"]["histogram"]["counts"]) == 5


def test_the_summary_of_a_name_ranks_values_and_breaks_ties_by_name() -> None:
    texts = [TextItem(str(i), "Words.", label) for i, label in enumerate("ccbbad")]
    columns = {column["name"]: column for column in summarise(text_table(texts).rows)}
    assert columns["label"]["distinct"] == 4
    assert columns["label"]["top"] == [["b", 2], ["c", 2], ["a", 1], ["d", 1]]
