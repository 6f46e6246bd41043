"""Texts by the line or by the paragraph, with bounded memory and the line number of each."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from genline.core.errors import DataError

Encoding = Literal[
    "utf-8", "utf-16", "latin-1", "cp1252", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"
]
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Line:
    """A text and the number of the line it begins on, or why it cannot be had."""

    number: int
    text: str
    trouble: str = ""


def lines(
    stream: io.BufferedReader, encoding: Encoding, longest: int, name: str, first: int = 1
) -> Iterator[Line]:
    """Each line without its end, those empty too. ``longest``: most characters of one.

    ``first``: the number of the first line, of a stream that begins later in its file. Raises
    DataError when the file is plainly in another encoding.
    """
    mark = _BYTE_ORDER_MARKS.get(stream.peek(2)[:2]) if first == 1 else None
    if mark and encoding != mark:
        raise DataError(f"{name}: is UTF-16; set encoding to utf-16, or save it as {encoding}")
    if encoding == "utf-16":
        yield from _wide_lines(stream, longest, name)
        return
    # In all other encodings the byte of a line feed is never part of another character.
    most = 4 * longest + 2
    for number in count(first):
        content = stream.readline(most)
        if not content:
            return
        if number == 1 and encoding == "utf-8":
            content = content.removeprefix(b"\xef\xbb\xbf")
        if len(content) >= most and not content.endswith(b"\n"):
            _skip_line(stream)
            yield Line(number, "", f"longer than {longest} characters")
        else:
            yield _decoded(content, encoding, number, longest)


def _skip_line(stream: io.BufferedReader) -> None:
    while (rest := stream.readline(2**20)) and not rest.endswith(b"\n"):
        pass


def _decoded(content: bytes, encoding: str, number: int, longest: int) -> Line:
    try:
        text = content.removesuffix(b"\n").removesuffix(b"\r").decode(encoding)
    except UnicodeDecodeError as error:
        found = content[error.start]
        return Line(number, "", f"byte {error.start + 1} ({found:#04x}) is not {encoding}")
    if len(text) > longest:
        return Line(number, "", f"longer than {longest} characters")
    return Line(number, text)


def _wide_lines(stream: io.BufferedReader, longest: int, name: str) -> Iterator[Line]:
    reader = io.TextIOWrapper(stream, "utf-16", newline="\n")
    number = 0
    try:
        while text := reader.readline(longest + 2):
            number += 1
            if text.endswith("\n") or len(text) < longest + 2:
                yield Line(number, text.removesuffix("\n").removesuffix("\r"))
                continue
            while text and not text.endswith("\n"):
                text = reader.readline(2**20)
            yield Line(number, "", f"longer than {longest} characters")
    except (UnicodeDecodeError, UnicodeError) as error:
        raise DataError(f"{name}, after line {number}: not utf-16 ({error})") from None
    finally:
        reader.detach()


def paragraphs(found: Iterator[Line], longest: int) -> Iterator[Line]:
    """Runs of lines between blank ones, joined by line feeds."""
    start, parts, size, trouble = 0, list[str](), 0, ""
    for line in found:
        if not line.text.strip() and not line.trouble:
            if start:
                yield Line(start, "\n".join(parts), trouble)
            start, parts, size, trouble = 0, [], 0, ""
            continue
        start = start or line.number
        size += len(line.text) + 1
        trouble = trouble or line.trouble
        if size - 1 > longest:
            trouble = trouble or f"longer than {longest} characters"
        if trouble:
            parts = []
        else:
            parts.append(line.text)
    if start:
        yield Line(start, "\n".join(parts), trouble)
