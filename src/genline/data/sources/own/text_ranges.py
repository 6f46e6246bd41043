"""A plain file of lines in ranges, each of which is read on its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from genline.core.errors import DataError
from genline.data.sources.files.compressed import is_plain
from genline.data.sources.files.lines import Encoding, lines
from genline.data.sources.items import Keys
from genline.data.sources.own.config import TextFile
from genline.data.sources.packed import NAMED, TextRow, table_of

if TYPE_CHECKING:
    import pyarrow as pa

_RANGE = 2**22  # bytes
_BLOCK = 2**20


@dataclass(frozen=True)
class Range:
    """Bytes of a file that begin and end with a line, and how to read them."""

    path: Path
    name: str  # what the file is called in errors and items
    split: str
    start: int
    stop: int
    first: int  # the number of its first line
    encoding: Encoding
    longest: int


@dataclass(frozen=True)
class Found:
    """The texts of a range, how many lines could not be read, and why the first of them."""

    size: int  # bytes
    texts: pa.Table | None  # None where there are none
    bad: int
    first_bad: list[str]


def in_ranges(section: TextFile, path: Path) -> bool:
    """Whether each byte of the file can be reached, and a line feed is one byte."""
    return section.item == "line" and section.encoding != "utf-16" and is_plain(path)


def ranges(section: TextFile, split: str, path: Path, name: str) -> Iterator[Range]:
    """All of the file, in order. Its lines are counted as it is cut."""
    with path.open("rb") as file:
        start, first = 0, 1
        while content := file.read(_RANGE):
            stop, count = start + len(content), content.count(b"\n")
            last = content
            # To the end of the line, however long, without holding it.
            while not last.endswith(b"\n") and (last := file.readline(_BLOCK)):
                stop, count = stop + len(last), count + last.count(b"\n")
            yield Range(path, name, split, start, stop, first, section.encoding, section.longest)
            start, first = stop, first + count


def read(part: Range) -> Found:
    """The texts of a range. Raises DataError when the file has vanished or shrunk since."""
    rows: list[TextRow] = []
    bad: list[str] = []
    keys = Keys(split=part.split)
    try:
        file = part.path.open("rb")
    except FileNotFoundError:
        raise DataError(f"{part.name}: vanished while it was read") from None
    with file:
        stream = io.BufferedReader(cast(Any, _Window(file, part)), _BLOCK)
        for line in lines(stream, part.encoding, part.longest, part.name, part.first):
            where = f"{part.name} line {line.number}"
            if line.trouble:
                bad.append(f"{where}: {line.trouble}")
            elif line.text.strip():
                rows.append(TextRow(where, line.text, "", keys))
    table = table_of(rows) if rows else None
    return Found(part.stop - part.start, table, len(bad), bad[:NAMED])


class _Window(io.RawIOBase):
    """The bytes of a range as a file of its own."""

    def __init__(self, file: Any, part: Range) -> None:
        self._file, self._part = file, part
        self._place = file.seek(part.start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(min(len(buffer), self._part.stop - self._place))
        if not content and self._place < self._part.stop:
            raise DataError(f"{self._part.name}: became shorter while it was read")
        self._place += len(content)
        buffer[: len(content)] = content
        return len(content)
