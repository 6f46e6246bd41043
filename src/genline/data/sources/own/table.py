"""Texts in a column of a table: CSV, TSV, JSON Lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genline.core.errors import DataError, nearest
from genline.data.engines.ordered import Engine
from genline.data.sources.files.compressed import open_data
from genline.data.sources.files.lines import lines
from genline.data.sources.items import Keys
from genline.data.sources.own.config import Table
from genline.data.sources.own.places import split_files, split_name
from genline.data.sources.packed import BadItems, TextRow, items, write_texts

__all__ = ["fetch", "items"]

_BATCH = 4096  # rows of Parquet read together
Row = tuple[str, dict[str, Any]]  # where it stands, and its values by column


def fetch(section: Table, folder: Path, engine: Engine) -> dict[str, Any]:
    """Bring the texts into one table; return the record. Blank texts are no items.

    Raises DataError naming the file and row that cannot be read, unless such are skipped; and
    the column that is missing or no text.
    """
    bad = BadItems(section.on_bad_item == "skip")
    record = write_texts(folder, _rows(section, bad), bad)
    return {**record, "description": f"texts of the column '{section.text}'"}


def _rows(section: Table, bad: BadItems) -> Iterator[TextRow]:
    for split, path, name in split_files(section.path, section.files):
        if section.format == "parquet":
            found = _parquet(section, path, name)
        elif section.format == "jsonl":
            found = _jsonl(section, path, name, bad)
        else:
            found = _csv(section, path, name, bad)
        for where, values in found:
            try:
                row = _row(section, where, values, split)
            except DataError as error:
                bad.met(error)
                continue
            if row.text.strip():
                yield row


def _row(section: Table, where: str, values: dict[str, Any], split: str) -> TextRow:
    found = {meaning: values.get(column) for meaning, column in section.columns.items()}
    text = found["text"]
    if not isinstance(text, str):
        raise DataError(f"{where}: '{section.text}' is {_shown(text)}, wanted a text")
    if len(text) > section.longest:
        raise DataError(f"{where}: longer than {section.longest} characters")
    _require_whole(where, text)
    words = {m: _word(f"{where}, {m}", v) for m, v in found.items() if m != "text"}
    if "split" in words:
        split = split_name(words["split"], where)
    return TextRow(
        where,
        text,
        words.get("label", ""),
        Keys(split, words.get("group", ""), words.get("time", "")),
    )


def _word(where: str, value: Any) -> str:
    if value is None or value == "" or value != value:  # the last is "not a number"
        raise DataError(f"{where}: is empty")
    if isinstance(value, bool | int | float | str):
        word = str(value)
        _require_whole(where, word)
        return word
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise DataError(f"{where}: is {_shown(value)}, wanted a word, a number or a date")


def _require_whole(where: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: half a surrogate pair at character {error.start + 1}") from None


class _CsvLines:
    """The lines of a CSV file as its reader wants them, of which none is held that is too long."""

    def __init__(self, text: io.TextIOWrapper, longest: int) -> None:
        self._text, self._longest = text, longest

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._longest)
        if not line:
            raise StopIteration
        if len(line) == self._longest and not line.endswith(("\n", "\r")):
            while (rest := self._text.readline(2**20)) and not rest.endswith(("\n", "\r")):
                pass
            raise csv.Error(f"a line longer than {self._longest} characters")
        return line


def _csv(section: Table, path: Path, name: str, bad: BadItems) -> Iterator[Row]:
    csv.field_size_limit(4 * section.longest + 2)
    with open_data(path) as stream:
        encoding = "utf-8-sig" if section.encoding == "utf-8" else section.encoding
        text = io.TextIOWrapper(stream, encoding, newline="")
        delimiter = "\t" if section.format == "tsv" else ","
        lines_of = _CsvLines(text, 8 * section.longest + 10_000)
        reader = csv.reader(lines_of, delimiter=delimiter, strict=True)
        try:
            header = next(reader, None)
            if header is None:
                raise DataError(f"{name}: is empty, wanted a line of column names")
            _require(section, header, name)
            while True:
                where = f"{name} line {reader.line_num + 1}"
                try:
                    row = next(reader, None)
                except csv.Error as error:
                    bad.met(DataError(f"{where}: {error}"))
                    continue
                if row is None:
                    return
                if not row:
                    continue
                if len(row) != len(header):
                    bad.met(DataError(f"{where}: has {len(row)} columns, the header {len(header)}"))
                    continue
                yield where, dict(zip(header, row, strict=True))
        except UnicodeError as error:
            raise DataError(
                f"{name}, after line {reader.line_num}: not {section.encoding} ({error}); set "
                "encoding, or save it anew"
            ) from None
        finally:
            text.detach()


def _jsonl(section: Table, path: Path, name: str, bad: BadItems) -> Iterator[Row]:
    with open_data(path) as stream:
        for line in lines(stream, section.encoding, 8 * section.longest + 10_000, name):
            where = f"{name} line {line.number}"
            if not line.trouble and not line.text.strip():
                continue
            try:
                if line.trouble:
                    raise DataError(f"{where}: {line.trouble}")
                yield where, _object(line.text, section, where)
            except DataError as error:
                bad.met(error)


def _object(text: str, section: Table, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is one, too
        raise DataError(f"{where}: not JSON ({str(error)[:100]})") from None
    if not isinstance(value, dict):
        raise DataError(f"{where}: found {_shown(value)}, wanted an object {{…}}")
    missing = [column for column in section.columns.values() if column not in value]
    if missing:
        raise DataError(f"{where}: no '{missing[0]}'; {nearest(missing[0], value)}")
    return value


def _parquet(section: Table, path: Path, name: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DataError(f"{path}: no such file")
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            _require(section, schema.names, name)
            kind = schema.field(section.text).type
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise DataError(f"{name}: column '{section.text}' is {kind}, wanted string")
            for batch in file.iter_batches(_BATCH, columns=list(section.columns.values())):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{name} row {number}", row
    except UnicodeDecodeError:
        raise DataError(f"{name}, after row {number}: holds a text that is not UTF-8") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{name}, after row {number}: not a whole Parquet file "
            f"({' '.join(str(error).split())[:100]})"
        ) from None


def _require(section: Table, columns: list[str], name: str) -> None:
    for column in section.columns.values():
        if column not in columns:
            raise DataError(f"{name}: no column '{column}'; {nearest(column, columns)}")
        if columns.count(column) > 1:
            raise DataError(f"{name}: has the column '{column}' twice; keep one")


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
