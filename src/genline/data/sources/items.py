"""A raw item as every source hands it on: its name in the raw file, and its content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ImageItem:
    """One image before any check of its values."""

    name: str  # where it stands in the raw files, e.g. "digits.csv.gz row 17"
    pixels: npt.NDArray[np.int64]  # (channels, height, width)
    label: int | None


@dataclass(frozen=True)
class TextItem:
    """One text before any cleaning."""

    name: str  # where it stands in the raw files, e.g. "docstrings.jsonl line 5"
    text: str
    label: str  # the part of the source it is from, e.g. a package


Items = Iterator[ImageItem] | Iterator[TextItem]
