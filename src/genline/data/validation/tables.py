"""The item table that expectations are held against: one row an item, with its statistics."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genline.data.sources.items import ImageItem, TextItem

if TYPE_CHECKING:
    import pandas as pd

ITEM = "item"
IMAGE_COLUMNS = {
    ITEM: "str",
    "label": "Int64",
    "channels": "int64",
    "height": "int64",
    "width": "int64",
    "min": "int64",
    "max": "int64",
    "mean": "float64",
    "std": "float64",
    "entropy": "float64",  # of the histogram of grey levels, bits
    "near_constant": "bool",
    "digest": "str",  # sha256 of shape and pixels
}
TEXT_COLUMNS = {
    ITEM: "str",
    "label": "str",
    "characters": "int64",
    "words": "int64",
    "control_characters": "int64",  # tabs and line breaks aside
    "replacement_characters": "int64",  # U+FFFD, which wrong decoding leaves
    "ascii_letters": "float64",  # share of the characters that are no white space
    "repetition": "float64",  # share of the most frequent word; 0 below four words
    "digest": "str",  # sha256 of the text
}
# Columns whose values are names, not quantities; the other numbers have histograms.
CATEGORIES = ("label", "near_constant")
# One value an item, of which there is nothing to sum up.
IDENTITIES = (ITEM, "digest")
# A standard deviation below this share of the range of the data shows nothing to learn from.
NEAR_CONSTANT = 0.02
_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_FEW = 65_536  # grey levels
_SHORT = 4


def image_table(items: Iterable[ImageItem], levels: int) -> pd.DataFrame:
    """One row an image; ``levels`` is how many grey levels the source has."""
    return _frame((_image_row(item, levels) for item in items), IMAGE_COLUMNS)


def text_table(items: Iterable[TextItem]) -> pd.DataFrame:
    """One row a text."""
    return _frame((_text_row(item) for item in items), TEXT_COLUMNS)


def entropy(pixels: npt.NDArray[Any]) -> float:
    """Shannon entropy of the histogram of ``pixels``, in bits."""
    if pixels.min() >= 0 and pixels.max() < _FEW:
        counts = np.bincount(pixels.ravel())  # many times faster than sorting
        counts = counts[counts > 0]
    else:
        _, counts = np.unique(pixels, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # no minus zero


def repetition(text: str) -> float:
    """Share of the most frequent word of ``text``, case aside; 0 where there are few words."""
    words = _WORD.findall(text.lower())
    return max(Counter(words).values()) / len(words) if len(words) >= _SHORT else 0.0


def _frame(rows: Iterable[tuple[Any, ...]], columns: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns)).astype(columns)


def _image_row(item: ImageItem, levels: int) -> tuple[Any, ...]:
    pixels = item.pixels
    std = float(pixels.std())
    digest = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
    return (
        item.name,
        item.label,
        *pixels.shape,
        int(pixels.min()),
        int(pixels.max()),
        float(pixels.mean()),
        std,
        entropy(pixels),
        std < NEAR_CONSTANT * (levels - 1),
        digest,
    )


def _text_row(item: TextItem) -> tuple[Any, ...]:
    text = item.text
    pieces = text.split()
    solid = sum(map(len, pieces))
    letters = sum(map(len, _LETTERS.findall(text)))
    return (
        item.name,
        item.label,
        len(text),
        len(pieces),
        len(_CONTROL.findall(text)),
        text.count("\N{REPLACEMENT CHARACTER}"),
        letters / solid if solid else 0.0,
        repetition(text),
        hashlib.sha256(text.encode("utf-8")).hexdigest(),
    )
