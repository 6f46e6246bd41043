"""Images in NumPy arrays: an .npz, or a folder of .npy files. Nothing is unpickled."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError, nearest
from genline.data.engines.ordered import Engine
from genline.data.sources.files.compressed import FREE_BYTES, LARGEST_RATIO
from genline.data.sources.items import Keys
from genline.data.sources.own.config import Array
from genline.data.sources.packed import BadItems, ImageRow, items, write_images

__all__ = ["fetch", "items"]

_AXES = {"nhw": (0, 1, 2), "nhwc": (0, 3, 1, 2), "nchw": (0, 1, 2, 3)}
_BLOCK = 1024  # images converted together


def fetch(section: Array, folder: Path, engine: Engine) -> dict[str, Any]:
    """Bring the arrays into one; return the record.

    Raises DataError naming the array whose dimensions, type, values or length do not fit.
    """
    record = write_images(folder, _rows(section), BadItems(skip=False))
    return {**record, "description": "images from NumPy arrays"}


def _rows(section: Array) -> Iterator[ImageRow]:
    for part in section.parts:
        images, where = _load(section.path, part.images)
        if images.ndim != len(section.axes):
            raise DataError(
                f"{where}: has shape {images.shape}, wanted {len(section.axes)} dimensions "
                f"({section.axes})"
            )
        labels: npt.NDArray[Any] | None = None
        if part.labels is not None:
            labels, of_labels = _load(section.path, part.labels)
            if labels.shape != (len(images),) or labels.dtype.kind not in "iuU":
                raise DataError(
                    f"{of_labels}: is {labels.dtype} {labels.shape}, wanted ({len(images)},) "
                    "whole numbers or words"
                )
        keys = Keys(split=part.split or "")
        for start in range(0, len(images), _BLOCK):
            block = images[start : start + _BLOCK].transpose(_AXES[section.axes])
            if section.axes == "nhw":
                block = block[:, None]
            levels = _levels(block, section.values, f"{where}, from item {start + 1}")
            for offset, pixels in enumerate(levels):
                number = start + offset
                label = "" if labels is None else str(labels[number])
                yield ImageRow(f"{part.images} item {number + 1}", pixels, label, keys)


def _levels(block: npt.NDArray[Any], values: str, where: str) -> npt.NDArray[np.uint8]:
    if block.dtype.kind not in "biuf" or (values == "levels" and block.dtype.kind == "f"):
        raise DataError(f"{where}: is {block.dtype}, wanted whole numbers; or set values to unit")
    high = 255 if values == "levels" else 1
    low, top = block.min(initial=0), block.max(initial=0)
    # NaN fails the comparison too.
    if not (low >= 0 and top <= high):
        raise DataError(f"{where}: has values from {low} to {top}, wanted 0 to {high}")
    return np.rint(block * 255).astype(np.uint8) if values == "unit" else block.astype(np.uint8)


def _load(path: str, name: str) -> tuple[npt.NDArray[Any], str]:
    """The array ``name`` and how errors call it."""
    place = Path(path)
    where = f"{place.name}, {name}"
    if not place.exists():
        raise DataError(f"{path}: no such file or folder")
    try:
        if place.is_dir():
            if not (place / name).is_file():
                names = [p.name for p in place.iterdir()]
                raise DataError(f"{path}: no file '{name}' in it; {nearest(name, names)}")
            return np.load(place / name, mmap_mode="r", allow_pickle=False), where
        with zipfile.ZipFile(place) as archive:
            _refuse_bomb(place, archive)
        with np.load(place, allow_pickle=False) as arrays:
            if name not in arrays.files:
                raise DataError(f"{path}: no array '{name}' in it; {nearest(name, arrays.files)}")
            return arrays[name], where
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(f"{where}: no array of numbers, or damaged ({reason})") from None


def _refuse_bomb(path: Path, archive: zipfile.ZipFile) -> None:
    total = sum(info.file_size for info in archive.infolist())
    if total > max(FREE_BYTES, LARGEST_RATIO * path.stat().st_size):
        raise DataError(f"{path}: unpacks to over {LARGEST_RATIO} times its size")
