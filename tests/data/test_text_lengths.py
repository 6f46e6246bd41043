"""Encoded texts held against bounds in tokens, and what is told of their lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.lengths import Fitting, Lengths, fit
from genline.data.prepared import UNK


def fitted(texts: list[list[int]], **changes: Any) -> Fitting:
    usual = {"valid": 0.1, "test": 0.1, "near_duplicates": 0.8, "vocabulary": 300}
    section = PrepareTexts(**{**usual, "max_tokens": 3, "unknown": "keep", **changes})
    tokens = np.array([token for text in texts for token in text], np.uint16)
    return fit(tokens, np.array(list(map(len, texts)), np.int64), section)


@pytest.mark.parametrize(
    ("changes", "wanted", "reason"),
    [
        ({}, [[4, 5], [UNK, 6], [7, 8, 9]], "too_long"),
        ({"too_long": "cut"}, [[4, 5], [10, 11, 12], [UNK, 6], [7, 8, 9]], None),
        ({"min_tokens": 3}, [[7, 8, 9]], "too_short"),
        ({"unknown": "drop"}, [[4, 5], [7, 8, 9]], "unknown_word"),
        # What is cut off need not be known.
        ({"too_long": "cut", "unknown": "drop"}, [[4, 5], [10, 11, 12], [7, 8, 9]], "unknown_word"),
    ],
)
def test_texts_out_of_bounds_are_dropped_or_cut(
    changes: dict[str, Any], wanted: list[list[int]], reason: str | None
) -> None:
    given = [[4, 5], [10, 11, 12, UNK], [UNK, 6], [7, 8, 9]]
    found = fitted(given, **changes)
    assert found.tokens.tolist() == [token for text in wanted for token in text]
    assert found.lengths.tolist() == list(map(len, wanted))
    assert found.kept.sum() == len(wanted)
    assert found.left_out.total() == len(given) - len(wanted)
    assert reason is None or found.left_out[reason]
    assert found.tokens.dtype == np.uint16


def test_no_texts_and_texts_without_tokens_fit() -> None:
    assert fitted([]).left_out.total() == 0
    assert fitted([[], [4]]).left_out == {"too_long": 0, "too_short": 1, "unknown_word": 0}


def test_lengths_add_up() -> None:
    parts = [([3, 10], [1, 4]), ([], []), ([5], [6])]
    counts = [(np.array(c, np.int64), np.array(t, np.int64)) for c, t in parts]
    total = sum((Lengths.of(*part) for part in counts), Lengths())
    assert total.texts == 3
    assert total.to_json() == {
        "characters": {"mean": 6.0, "most": 10},
        "tokens": {"mean": 11 / 3, "most": 6},
    }
