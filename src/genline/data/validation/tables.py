"""The item table that expectations are held against: one row an item, with its statistics."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genline.data.min_hash import band_keys
from genline.data.sources.items import ImageItem, TextItem
from genline.data.validation import image_statistics, text_statistics
from genline.data.validation.text_statistics import OTHER_SCRIPTS, SCRIPTS

if TYPE_CHECKING:
    import pandas as pd

ITEM, FILE, TWIN = "item", "file", "twin"
# Of the set: filled in by genline.data.validation.across.
ACROSS_COLUMNS = {
    "equal_across": "bool",  # an equal item stands in another given split
    "near_across": "bool",  # a nearly equal one does
    "leaked": "bool",  # of the test split, and an equal or nearly equal item trains
    TWIN: "str",  # the item that it equals, or nearly does
}
IMAGE_COLUMNS = {
    ITEM: "str",
    FILE: "str",
    "label": "Int64",
    "split": "str",  # as the source gives it, '' where it gives none
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
    "perceptual_hash": "str",  # 64 bits
    **ACROSS_COLUMNS,
}
TEXT_COLUMNS = {
    ITEM: "str",
    "label": "str",
    "split": "str",
    "characters": "int64",
    "words": "int64",  # what white space parts
    "tokens": "int64",  # words and marks: a tokenizer is not there yet
    "control_characters": "int64",  # tabs and line breaks aside
    "replacement_characters": "int64",  # U+FFFD, which wrong decoding leaves
    "ascii_letters": "float64",  # share of the characters that are no white space
    "repetition": "float64",  # share of the most frequent word; 0 below four words
    "script": "str",  # of most of its letters
    **dict.fromkeys((*SCRIPTS, OTHER_SCRIPTS), "float64"),  # shares of its letters
    "digest": "str",  # sha256 of the text
    "near_key": "str",  # four min-hashes of its word 3-grams
    **ACROSS_COLUMNS,
}
# Columns whose values are names, not quantities; the other numbers have histograms.
CATEGORIES = (
    "label",
    "split",
    FILE,
    "script",
    "near_constant",
    "equal_across",
    "near_across",
    "leaked",
)
# Equal of items that are much alike.
NEAR_KEYS = ("perceptual_hash", "near_key")
# One value an item, of which there is nothing to sum up.
IDENTITIES = (ITEM, "digest", *NEAR_KEYS, TWIN)
# Min-hashes of a text that has a split: 8 bands of 4, so that of texts with a Jaccard similarity of
# 0.8 more than 98 in 100 agree in a band (Leskovec, Rajaraman and Ullman 2014, section 3.4.2).
HASHES, BAND = 32, 4
_PIXELS, _CHARACTERS, _ITEMS = 2**22, 2**20, 4096  # of a block at most; one item may be larger
_PLACE = re.compile(r" (?:row|line|image) \d+$")


@dataclass(frozen=True)
class Table:
    """The item table, and of each row the keys by which near copies of it are found.

    keys: of images float32 (rows, 63), their low frequencies without the mean, of length 1; of
    texts uint64 (rows, 8), the bands of their min-hashes. Where no item has a split, no columns.
    """

    rows: pd.DataFrame
    keys: npt.NDArray[Any]


def image_table(items: Iterable[ImageItem], levels: int) -> Table:
    """One row an image; ``levels`` is how many grey levels the source has."""
    return _table((_image_part(block, levels) for block in _image_blocks(items)), IMAGE_COLUMNS)


def text_table(items: Iterable[TextItem]) -> Table:
    """One row a text."""
    return _table(map(_text_part, _text_blocks(items)), TEXT_COLUMNS)


def _table(parts: Iterable[dict[str, Any]], columns: dict[str, str]) -> Table:
    """Of parts that are columns, and the keys of their rows under ``keys``."""
    frames, keys = [], []
    for part in parts:
        keys.append(part.pop("keys") if any(part["split"]) else np.zeros((len(part[ITEM]), 0)))
        frames.append(_frame(part, columns))
    width = max((key.shape[1] for key in keys), default=0)
    kind = next((key.dtype for key in keys if key.shape[1]), np.dtype(np.float32))
    # Of a block without splits they are of no account.
    keys = [key if key.shape[1] else np.zeros((len(key), width), kind) for key in keys]
    return Table(_joined(frames, columns), np.concatenate([np.zeros((0, width), kind), *keys]))


def _frame(part: dict[str, Any], columns: dict[str, str]) -> pd.DataFrame:
    """Those columns that are about the set are empty as yet."""
    import pandas as pd

    empty = {name: "" if kind == "str" else False for name, kind in ACROSS_COLUMNS.items()}
    return pd.DataFrame(part | empty, columns=list(columns)).astype(columns)


def _joined(frames: list[pd.DataFrame], columns: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    if not frames:
        return pd.DataFrame(columns=list(columns)).astype(columns)
    return pd.concat(frames, ignore_index=True)


def _image_part(block: list[ImageItem], levels: int) -> dict[str, Any]:
    pixels = np.stack([item.pixels for item in block])
    waves = image_statistics.low_frequencies(pixels, levels)
    hashes = image_statistics.perceptual_hashes(waves).tolist()
    shape = str(pixels.shape[1:]).encode()
    named = zip(("channels", "height", "width"), pixels.shape[1:], strict=True)
    return {
        ITEM: [item.name for item in block],
        FILE: [_PLACE.sub("", item.name) for item in block],
        "label": [item.label for item in block],
        "split": [item.keys.split for item in block],
        **dict(named),
        **image_statistics.statistics(pixels, levels),
        "digest": [hashlib.sha256(shape + image.tobytes()).hexdigest() for image in pixels],
        "perceptual_hash": [f"{value:016x}" for value in hashes],
        "keys": _of_length_one(waves[:, 1:]),
    }


def _text_part(block: list[TextItem]) -> dict[str, Any]:
    texts = [item.text for item in block]
    split = any(item.keys.split for item in block)
    # Without splits there is nobody to be a near copy of: the key alone is wanted.
    columns, hashes = text_statistics.statistics(texts, HASHES if split else BAND)
    digests = [hashlib.sha256(t.encode("utf-8", "surrogatepass")).hexdigest() for t in texts]
    return {
        ITEM: [item.name for item in block],
        "label": [item.label for item in block],
        "split": [item.keys.split for item in block],
        **columns,
        "digest": digests,
        "near_key": [row.tobytes().hex() for row in hashes[:, :BAND]],
        "keys": band_keys(hashes, BAND),
    }


def _of_length_one(waves: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(waves, axis=1, keepdims=True)
    return np.asarray(waves / np.maximum(lengths, 1e-12), np.float32)


def _image_blocks(items: Iterable[ImageItem]) -> Iterator[list[ImageItem]]:
    """Neighbours of one shape."""
    block: list[ImageItem] = []
    for item in items:
        full = len(block) * item.pixels.size >= _PIXELS or len(block) == _ITEMS
        if block and (full or item.pixels.shape != block[0].pixels.shape):
            yield block
            block = []
        block.append(item)
    if block:
        yield block


def _text_blocks(items: Iterable[TextItem]) -> Iterator[list[TextItem]]:
    block: list[TextItem] = []
    size = 0
    for item in items:
        if block and (size + len(item.text) > _CHARACTERS or len(block) == _ITEMS):
            yield block
            block, size = [], 0
        block.append(item)
        size += len(item.text)
    if block:
        yield block
