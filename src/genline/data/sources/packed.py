"""The raw form that catalogued and own data are brought into: read once, checked, packed.

``items.parquet`` holds one row an item: its name, label, split, group and time, and of a text its
text. ``images.npy`` holds all pictures, uint8 (n, channels, height, width). Both are written and
read as streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import digest_file
from genline.data.sources.items import NO_KEYS, ImageItem, Keys, TextItem

ITEMS, IMAGES = "items.parquet", "images.npy"
LEVELS = 256
_ROWS = 10_000  # written together
_CHARACTERS = 2**24  # or as soon as their texts are this long
_NAMED = 5  # skipped items the record names


@dataclass(frozen=True)
class ImageRow:
    """A picture on its way in. pixels: uint8 (channels, height, width); label: '' for none."""

    name: str
    pixels: npt.NDArray[np.uint8]
    label: str = ""
    keys: Keys = NO_KEYS


@dataclass(frozen=True)
class TextRow:
    """A text on its way in."""

    name: str
    text: str
    label: str = ""
    keys: Keys = NO_KEYS


@dataclass
class BadItems:
    """What to do about an item that cannot be read: stop there, or skip and count it."""

    skip: bool
    count: int = 0
    first: list[str] = field(default_factory=list)

    def met(self, error: DataError) -> None:
        """Raises ``error`` unless bad items are skipped."""
        if not self.skip:
            raise error
        self.count += 1
        if len(self.first) < _NAMED:
            self.first.append(str(error))


def write_images(
    folder: Path, rows: Iterable[ImageRow], bad: BadItems, classes: list[str] | None = None
) -> dict[str, Any]:
    """Write ``rows`` into ``folder`` and return their record.

    ``classes``: the names of the classes in order; by default those met, sorted. Raises DataError
    when there are no rows, or some have a label and others none.
    """
    names: list[str] = []
    labels: list[str] = []
    keys: list[Keys] = []
    with (folder / IMAGES).open("wb") as file:
        shape: tuple[int, ...] = ()
        for row in rows:
            if not names:
                shape = row.pixels.shape
                _header(file, (0, *shape))
            elif row.pixels.shape != shape:
                raise DataError(f"{row.name}: found shape {row.pixels.shape}, wanted {shape}")
            file.write(np.ascontiguousarray(row.pixels, np.uint8).data)
            names.append(row.name)
            labels.append(row.label)
            keys.append(row.keys)
        _require_items(len(names), bad)
        file.seek(0)
        _header(file, (len(names), *shape))
    found = _classes(names, labels, classes)
    index = {name: number for number, name in enumerate(found)}
    with _table(folder, _IMAGE_COLUMNS) as write:
        for start in range(0, len(names), _ROWS):
            part = slice(start, start + _ROWS)
            numbers = [index.get(label) for label in labels[part]]
            write({"item": names[part], "label": numbers, **_key_columns(keys[part])})
    return {
        **_record(folder, (IMAGES, ITEMS), len(names), bad),
        "levels": LEVELS,
        "classes": len(found),
        "class_names": found,
    }


def write_texts(folder: Path, rows: Iterable[TextRow], bad: BadItems) -> dict[str, Any]:
    """Write ``rows`` into ``folder`` and return their record. Raises DataError without rows."""
    total = 0
    with _table(folder, _TEXT_COLUMNS) as write:
        for part in _parts(rows):
            total += len(part)
            columns = {name: [getattr(row, name) for row in part] for name in ("text", "label")}
            keys = _key_columns([row.keys for row in part])
            write({"item": [row.name for row in part], **columns, **keys})
    _require_items(total, bad)
    return _record(folder, (ITEMS,), total, bad)


def items(folder: Path) -> Iterator[ImageItem] | Iterator[TextItem]:
    """What was written into ``folder``, in that order. Raises DataError for a damaged file."""
    return _images(folder) if (folder / IMAGES).exists() else _texts(folder)


def _images(folder: Path) -> Iterator[ImageItem]:
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / IMAGES}: cannot be read ({error}); download it again") from None
    # Still read as needed, but without the cost of a memmap object for each image.
    plain = images.view(np.ndarray)
    for pixels, row in zip(plain, _rows(folder), strict=False):
        yield ImageItem(row["item"], pixels, row["label"], _keys(row))


def _texts(folder: Path) -> Iterator[TextItem]:
    for row in _rows(folder):
        yield TextItem(row["item"], row["text"], row["label"], _keys(row))


_KEY_COLUMNS = {"split": "string", "group": "string", "time": "string"}
_IMAGE_COLUMNS = {"item": "string", "label": "int64", **_KEY_COLUMNS}
_TEXT_COLUMNS = {"item": "string", "text": "large_string", "label": "string", **_KEY_COLUMNS}


@contextmanager
def _table(folder: Path, columns: dict[str, str]) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in columns.items()])
    with pq.ParquetWriter(folder / ITEMS, schema, compression="zstd") as writer:
        yield lambda values: writer.write_table(pa.table(values, schema=schema))


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(folder / ITEMS) as file:
            for batch in file.iter_batches(_ROWS):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{folder / ITEMS}: cannot be read ({error}); download it again") from None


def _parts(rows: Iterable[TextRow]) -> Iterator[list[TextRow]]:
    part: list[TextRow] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row.text)
        if len(part) == _ROWS or size > _CHARACTERS:
            yield part
            part, size = [], 0
    if part:
        yield part


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    # NumPy leaves room for the first size to grow, so that the header can be written again.
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _key_columns(keys: list[Keys]) -> dict[str, list[str]]:
    return {name: [getattr(k, name) for k in keys] for name in _KEY_COLUMNS}


def _keys(row: dict[str, Any]) -> Keys:
    found = Keys(row["split"], row["group"], row["time"])
    return NO_KEYS if found == NO_KEYS else found


def _classes(names: list[str], labels: list[str], wanted: list[str] | None) -> list[str]:
    met = set(labels)
    if met == {""}:
        return []
    if "" in met:
        raise DataError(f"{names[labels.index('')]}: has no label, though others have one")
    if wanted is not None:
        return wanted
    return sorted(
        met, key=lambda label: (0, int(label), "") if label.isdecimal() else (1, 0, label)
    )


def _require_items(count: int, bad: BadItems) -> None:
    if not count:
        skipped = f", {bad.count} were skipped, such as {bad.first[0]}" if bad.count else ""
        raise DataError(f"the source has no items{skipped}")


def _record(folder: Path, files: tuple[str, ...], count: int, bad: BadItems) -> dict[str, Any]:
    return {
        "versions": {},
        "sha256": {name: digest_file(folder / name) for name in files},
        "items": count,
        "skipped": {"count": bad.count, "first": bad.first},
    }
