"""A raw item as every source hands it on: its name in the raw file, and its content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Keys:
    """What a source knows of an item beside its content; '' where it says nothing."""

    split: str = ""  # train, valid or test
    group: str = ""  # items of one group, such as one author's, belong together
    time: str = ""  # ISO 8601, or any text whose order is that of time


NO_KEYS = Keys()


@dataclass(frozen=True)
class ImageItem:
    """One image before any check of its values."""

    name: str  # where it stands in the raw files, e.g. "digits.csv.gz row 17"
    pixels: npt.NDArray[np.integer[Any]]  # (channels, height, width)
    label: int | None
    keys: Keys = NO_KEYS


@dataclass(frozen=True)
class TextItem:
    """One text before any cleaning."""

    name: str  # where it stands in the raw files, e.g. "docstrings.jsonl line 5"
    text: str
    label: str  # the part of the source it is from, e.g. a package
    keys: Keys = NO_KEYS


Items = Iterator[ImageItem] | Iterator[TextItem]
