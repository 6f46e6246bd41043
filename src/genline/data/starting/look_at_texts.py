"""What a table or a file of texts holds, told by its first rows or lines."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genline.core.errors import DataError
from genline.data.sources.files.compressed import open_data, plain_name
from genline.data.sources.own.places import is_split

Source = dict[str, Any]
TABLES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
LONGEST = 1_000_000  # characters of a text
_SAMPLE = 500  # rows of a table read to tell what its columns are
_HEAD = 2**20  # bytes of a file read to tell its encoding and form
_USUAL = {
    "label": ("label", "class", "category", "sentiment", "target"),
    "split": ("split", "subset", "fold"),
    "group": ("group", "author", "user", "source", "document"),
    "time": ("time", "date", "timestamp", "created_at", "year"),
}


def table(path: Path, form: str) -> Source:
    """The section of a table; its columns are told by their names, the text as the longest."""
    rows = list(itertools.islice(_rows(path, form), _SAMPLE))
    if not rows:
        raise DataError(f"{path}: holds no rows")
    columns = [str(name) for name in rows[0]]
    lengths = {
        name: sum(len(row[name]) for row in rows if isinstance(row.get(name), str)) / len(rows)
        for name in columns
    }
    text = max(columns, key=lambda name: lengths[name])
    if not lengths[text]:
        raise DataError(f"{path}: none of its columns {', '.join(columns)} holds texts")
    source: Source = {"name": "table", "path": path.as_posix(), "format": form, "text": text}
    for meaning, usual in _USUAL.items():
        named = [c for c in columns if c.lower() in usual and c != text]
        if meaning == "split" and named:
            words = {str(row.get(named[0])) for row in rows}
            named = named if all(is_split(word) for word in words) else []
        if named:
            source[meaning] = named[0]
    return source | _reading(path)


def _rows(path: Path, form: str) -> Iterator[dict[str, Any]]:
    if form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_SAMPLE):
                    yield from batch.to_pylist()
        except UnicodeDecodeError:
            raise DataError(f"{path}: holds a text that is not UTF-8") from None
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{path}: not a Parquet file ({error})") from None
        return
    with open_data(path) as stream:
        text = io.StringIO(stream.read(_HEAD).decode(_reading(path)["encoding"], "ignore"))
    if form == "jsonl":
        # The last line may be cut.
        for line in text.getvalue().splitlines()[: _SAMPLE + 1]:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):  # fetching tells of it by its line
                continue
            if isinstance(value, dict):
                yield value
        return
    csv.field_size_limit(_HEAD + 1)
    with contextlib.suppress(csv.Error):  # of which fetching tells, too
        yield from csv.DictReader(text, delimiter="\t" if form == "tsv" else ",")


def text_file(path: Path) -> Source:
    """The section of a file of texts, by the line or by the paragraph."""
    reading = _reading(path)
    with open_data(path) as stream:
        head = stream.read(_HEAD).decode(reading["encoding"], "ignore")
    lines = head.splitlines()
    if not any(line.strip() for line in lines):
        raise DataError(f"{path}: holds no text")
    blank = sum(not line.strip() for line in lines)
    # Paragraphs have lines between their blank ones; stray blank lines are few.
    item = "paragraph" if blank * 20 > len(lines) and 2 * blank < len(lines) else "line"
    return {"name": "text_file", "path": path.as_posix(), "item": item} | reading


def _reading(path: Path) -> Source:
    if plain_name(path).endswith(".parquet"):
        encoding = "utf-8"
    else:
        with open_data(path) as stream:
            encoding = encoding_of(stream.read(_HEAD), str(path))
    return {"encoding": encoding, "longest": LONGEST, "on_bad_item": "stop"}


def encoding_of(head: bytes, name: str) -> str:
    """utf-16 by its mark, utf-8 where it is, else latin-1, which reads anything.

    Raises DataError calling the file ``name`` for one that is no text.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in head:
        raise DataError(f"{name}: holds NUL bytes, so it is no text; or save it as UTF-8")
    try:
        head[:-4].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(head) - 8:
            return "latin-1"
    return "utf-8"
