"""Images in NumPy arrays: an .npz, an .npy, or a folder of .npy files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.data.engines.ordered import Engine
from genline.data.sources.files.arrays import blocks, describe
from genline.data.sources.items import Keys
from genline.data.sources.own.config import Array
from genline.data.sources.packed import BadItems, ImageRow, items, write_images

__all__ = ["fetch", "items"]

_AXES = {"nhw": (0, 1, 2), "nhwc": (0, 3, 1, 2), "nchw": (0, 1, 2, 3)}
_BLOCK = 1024  # images converted together
_LABELS = 2**20


def fetch(section: Array, folder: Path, engine: Engine) -> dict[str, Any]:
    """Bring the arrays into one; return the record.

    Raises DataError naming the array whose dimensions, type, values or length do not fit.
    """
    record = write_images(folder, _rows(section), BadItems(skip=False))
    return {**record, "description": "images from NumPy arrays"}


def _rows(section: Array) -> Iterator[ImageRow]:
    place = Path(section.path)
    for part in section.parts:
        found = describe(place, part.images)
        where = f"{place.name}, {part.images}"
        if len(found.shape) != len(section.axes):
            raise DataError(
                f"{where}: has shape {found.shape}, wanted {len(section.axes)} dimensions "
                f"({section.axes})"
            )
        labels = None if part.labels is None else _labels(place, part.labels, found.shape[0])
        keys = Keys(split=part.split or "")
        number = 0
        for block in blocks(place, part.images, _BLOCK):
            turned = block.transpose(_AXES[section.axes])
            if section.axes == "nhw":
                turned = turned[:, None]
            for pixels in _levels(turned, section.values, f"{where}, from item {number + 1}"):
                label = "" if labels is None else str(labels[number])
                number += 1
                yield ImageRow(f"{part.images} item {number}", pixels, label, keys)


def _labels(place: Path, name: str, count: int) -> npt.NDArray[Any]:
    found = describe(place, name)
    if found.shape != (count,) or found.dtype.kind not in "iuU":
        raise DataError(
            f"{place.name}, {name}: is {found.dtype} {found.shape}, wanted ({count},) "
            "whole numbers or words"
        )
    return np.concatenate([np.empty(0, found.dtype), *blocks(place, name, _LABELS)])


def _levels(block: npt.NDArray[Any], values: str, where: str) -> npt.NDArray[np.uint8]:
    if block.dtype.kind not in "biuf" or (values == "levels" and block.dtype.kind == "f"):
        raise DataError(f"{where}: is {block.dtype}, wanted whole numbers; or set values to unit")
    high = 255 if values == "levels" else 1
    low, top = block.min(initial=0), block.max(initial=0)
    # NaN fails the comparison too.
    if not (low >= 0 and top <= high):
        raise DataError(f"{where}: has values from {low} to {top}, wanted 0 to {high}")
    return np.rint(block * 255).astype(np.uint8) if values == "unit" else block.astype(np.uint8)
