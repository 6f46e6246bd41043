"""The raw form that catalogued and own data are brought into: read once, checked, packed.

``items.parquet`` holds one row an item: its name, label, split, group and time, and of a text its
text. ``images.npy`` holds all pictures, uint8 (n, channels, height, width). Both are written and
read as streams, and in parts: the row groups of the table.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import OutputFile, digest_file
from genline.data.sources.items import NO_KEYS, ImageItem, Keys, TextItem

if TYPE_CHECKING:
    import pyarrow as pa

ITEMS, IMAGES = "items.parquet", "images.npy"
LEVELS = 256
_ROWS = 10_000  # written together
_CHARACTERS = 2**22  # or as soon as their texts are this long
_READ = 1000  # rows at a time
_PART = 2**22  # bytes, before compression, of the rows that are read as one part
NAMED = 5  # skipped items the record names


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
        self.met_many(1, [str(error)])

    def met_many(self, count: int, first: list[str]) -> None:
        """The same of ``count`` items, and of what is wrong with the first of them."""
        if count and not self.skip:
            raise DataError(first[0])
        self.count += count
        self.first += first[: NAMED - len(self.first)]


def write_images(
    folder: Path, rows: Iterable[ImageRow], bad: BadItems, classes: list[str] | None = None
) -> dict[str, Any]:
    """Write ``rows`` into ``folder`` and return their record.

    ``classes``: the names of the classes in order; by default those met, sorted. Raises DataError
    when there are no rows, or some have a label and others none. Memory holds two numbers a row.
    """
    import pyarrow as pa

    met: dict[str, int] = {}  # labels in the order they are met
    labels = array("q")
    shape: tuple[int, ...] = ()
    unlabelled = ""
    # Labels get their numbers once all are known; until then names and keys wait on disk.
    waiting = folder / f".{ITEMS}.waiting"
    with (
        OutputFile(folder / IMAGES) as file,
        OutputFile(waiting) as sink,
        pa.ipc.new_stream(sink, _schema(_ROW_COLUMNS)) as stream,
    ):
        for part in _parts(rows, lambda row: row.pixels.nbytes):
            shape = shape or part[0].pixels.shape
            for row in part:
                if row.pixels.shape != shape:
                    raise DataError(f"{row.name}: found shape {row.pixels.shape}, wanted {shape}")
                unlabelled = unlabelled or ("" if row.label else row.name)
                labels.append(met.setdefault(row.label, len(met)))
            if unlabelled and len(met) > 1:
                raise DataError(f"{unlabelled}: has no label, though others have one")
            if not file.tell():
                _header(file, (0, *shape))
            for row in part:
                file.write(np.ascontiguousarray(row.pixels, np.uint8).data)
            stream.write_table(_row_table(part, _ROW_COLUMNS))
        _require_items(len(labels), bad)
        file.seek(0)
        _header(file, (len(labels), *shape))
    found = [] if "" in met else classes if classes is not None else _sorted(met)
    place = {name: number for number, name in enumerate(found)}
    numbers = np.array([place.get(label, -1) for label in met], np.int64)[np.array(labels)]
    start = 0
    with _table(folder, _IMAGE_COLUMNS) as write, pa.memory_map(str(waiting)) as content:
        for table in _regrouped(pa.ipc.open_stream(content)):
            own = numbers[start : start + len(table)]
            start += len(table)
            write(table.add_column(1, "label", pa.array(own, mask=own < 0)))
    waiting.unlink()
    return {
        **_record(folder, (IMAGES, ITEMS), len(labels), bad),
        "levels": LEVELS,
        "classes": len(found),
        "class_names": found,
    }


def _regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in tables of ``_ROWS`` or a little more."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= _ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def write_texts(folder: Path, rows: Iterable[TextRow], bad: BadItems) -> dict[str, Any]:
    """Write ``rows`` into ``folder`` and return their record. Raises DataError without rows."""
    return write_tables(folder, map(table_of, _parts(rows, lambda row: len(row.text))), bad)


def write_tables(folder: Path, tables: Iterable[pa.Table], bad: BadItems) -> dict[str, Any]:
    """The same of rows that :func:`table_of` has brought together."""
    total = 0
    with _table(folder, _TEXT_COLUMNS) as write:
        for table in tables:
            total += len(table)
            write(table)
    _require_items(total, bad)
    return _record(folder, (ITEMS,), total, bad)


def table_of(rows: list[TextRow]) -> pa.Table:
    """Rows as they are written together: a group of the table."""
    return _row_table(rows, _TEXT_COLUMNS)


@dataclass(frozen=True)
class Rows:
    """A run of rows: the groups of the table that hold it, and the number of its first row."""

    groups: tuple[int, ...]
    first: int
    count: int


def row_groups(folder: Path) -> list[Rows]:
    """Runs of rows of a few megabytes each, in order. Raises DataError for a damaged file."""
    runs: list[Rows] = []
    least = 0 if (folder / IMAGES).exists() else _PART
    with _opened(folder) as file:
        groups: list[int] = []
        first = size = count = 0
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            groups.append(number)
            size, count = size + group.total_byte_size, count + group.num_rows
            if size >= least or number == file.num_row_groups - 1:
                runs.append(Rows(tuple(groups), first, count))
                groups, first, size, count = [], first + count, 0, 0
    return runs


def items(folder: Path, rows: Rows | None = None) -> Iterator[ImageItem] | Iterator[TextItem]:
    """What was written into ``folder``, or those ``rows`` of it, in that order.

    Raises DataError for a damaged file.
    """
    return _images(folder, rows) if (folder / IMAGES).exists() else _texts(folder, rows)


def pixels(folder: Path) -> npt.NDArray[np.uint8]:
    """All pictures of ``folder``, read as they are needed. Raises DataError for a damaged file."""
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / IMAGES}: cannot be read ({error}); download it again") from None
    # Still read as needed, but without the cost of a memmap object for each image.
    plain: npt.NDArray[np.uint8] = images.view(np.ndarray)
    return plain


def _images(folder: Path, rows: Rows | None) -> Iterator[ImageItem]:
    own = pixels(folder)[rows.first if rows else 0 :]
    for image, (name, label, keys) in zip(own, _rows(folder, rows, "label"), strict=False):
        yield ImageItem(name, image, label, keys)


def _texts(folder: Path, rows: Rows | None) -> Iterator[TextItem]:
    for name, text, label, keys in _rows(folder, rows, "text", "label"):
        yield TextItem(name, text, label, keys)


_KEY_COLUMNS = {"split": "string", "group": "string", "time": "string"}
_ROW_COLUMNS = {"item": "string", **_KEY_COLUMNS}
_IMAGE_COLUMNS = {"item": "string", "label": "int64", **_KEY_COLUMNS}
_TEXT_COLUMNS = {"item": "string", "text": "large_string", "label": "string", **_KEY_COLUMNS}


def _schema(columns: dict[str, str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(name, getattr(pa, kind)()) for name, kind in columns.items()])


def _row_table(rows: list[Any], columns: dict[str, str]) -> pa.Table:
    import pyarrow as pa

    values = {name: [getattr(row, name) for row in rows] for name in columns if name in _OWN}
    keys = {name: [getattr(row.keys, name) for row in rows] for name in _KEY_COLUMNS}
    names = {"item": [row.name for row in rows]}
    return pa.table({**names, **values, **keys}, schema=_schema(columns))


_OWN = ("text", "label")


@contextmanager
def _table(folder: Path, columns: dict[str, str]) -> Iterator[Callable[[pa.Table], None]]:
    import pyarrow.parquet as pq

    with (
        OutputFile(folder / ITEMS) as file,
        pq.ParquetWriter(file, _schema(columns), compression="zstd") as writer,
    ):
        yield writer.write_table


@contextmanager
def _opened(folder: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(folder / ITEMS) as file:
            yield file
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{folder / ITEMS}: cannot be read ({error}); download it again") from None


def _rows(folder: Path, rows: Rows | None, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Of each row its name, its value in each of ``columns``, and its keys."""
    names = ["item", *columns, *_KEY_COLUMNS]
    last, keys = ("", "", ""), NO_KEYS
    with _opened(folder) as file:
        groups = list(rows.groups) if rows else None
        for batch in file.iter_batches(_READ, groups, names, use_threads=False):
            values = (batch[name].to_pylist() for name in names)
            for *own, split, group, time in zip(*values, strict=True):
                if (split, group, time) != last:
                    last = (split, group, time)
                    keys = Keys(*last)
                yield (*own, keys)


def _parts(rows: Iterable[Any], size: Callable[[Any], int]) -> Iterator[list[Any]]:
    part: list[Any] = []
    total = 0
    for row in rows:
        part.append(row)
        total += size(row)
        if len(part) == _ROWS or total > _CHARACTERS:
            yield part
            part, total = [], 0
    if part:
        yield part


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    # NumPy leaves room for the first size to grow, so that the header can be written again.
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _sorted(labels: Iterable[str]) -> list[str]:
    return sorted(
        labels, key=lambda label: (0, int(label), "") if label.isdecimal() else (1, 0, label)
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
