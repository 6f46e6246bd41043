"""Files that may be compressed (gz, bz2, xz, zst), read as a stream of bounded expansion."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from genline.core.errors import DataError
from genline.core.files import require_regular

# Real data rarely shrinks below a hundredth; a bomb of gzip is a thousand times its file.
LARGEST_RATIO = 200
# Up to here any ratio is harmless.
FREE_BYTES = 64 * 2**20


def _zstandard(file: BinaryIO) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(file, "zstd")


_FORMATS: dict[str, tuple[bytes, Callable[[BinaryIO], Any]]] = {
    "gz": (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    "bz2": (b"BZh", bz2.BZ2File),
    "xz": (b"\xfd7zXZ\x00", lzma.LZMAFile),
    "zst": (b"\x28\xb5\x2f\xfd", _zstandard),
}
SUFFIXES = tuple(f".{name}" for name in _FORMATS)
# What the libraries raise when a file is cut short or is something else.
BROKEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError)


def plain_name(path: Path | str) -> str:
    """The file's name without the suffix of its compression: ``a.csv`` of ``a.csv.gz``."""
    name = Path(path).name
    return next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)


class _Bounded(io.RawIOBase):
    """What ``opened`` gives, as long as it stays in proportion to what was read of ``file``."""

    def __init__(self, name: str, file: BinaryIO, opened: Any) -> None:
        self._name, self._file, self._opened = name, file, opened
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            content = self._opened.read(len(buffer))
        except BROKEN as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(
                f"{self._name}: damaged or cut short after {self._given} bytes unpacked "
                f"({reason}); get it again"
            ) from None
        self._given += len(content)
        if self._given > max(FREE_BYTES, LARGEST_RATIO * self._file.tell()):
            raise DataError(
                f"{self._name}: unpacks to over {LARGEST_RATIO} times its size, as a "
                "decompression bomb does; unpack it yourself if you trust it"
            )
        buffer[: len(content)] = content
        return len(content)


def is_plain(path: Path) -> bool:
    """Whether ``path`` is a file, and begins as no compressed one does."""
    if not path.is_file() or path.suffix in SUFFIXES:
        return False
    with path.open("rb") as file:
        start = file.read(8)
    return not any(start.startswith(magic) for magic, _ in _FORMATS.values())


def unpacked(file: BinaryIO, name: str) -> io.BufferedReader:
    """The content of ``file``, whatever compression its first bytes tell.

    A read raises DataError when the file is damaged, or unpacks to more than ``LARGEST_RATIO``
    times its size beyond the first 64 MiB.
    """
    reader = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast(Any, file))
    start = reader.peek(8)[:8]
    for magic, open_stream in _FORMATS.values():
        if start.startswith(magic):
            try:
                opened = open_stream(reader)
            except BROKEN as error:
                raise DataError(f"{name}: cannot be unpacked ({error})") from None
            return io.BufferedReader(_Bounded(name, reader, opened), 2**18)
    return reader


@contextmanager
def open_data(path: Path | str, name: str = "") -> Iterator[io.BufferedReader]:
    """Open ``path`` for reading, unpacked. ``name`` is how errors call it, by default the path.

    Raises DataError when it is missing, no regular file or unreadable.
    """
    name = name or str(path)
    try:
        require_regular(path)  # a named pipe would be waited for without end
        file = Path(path).open("rb")  # noqa: SIM115  (closed below)
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except PermissionError:
        raise DataError(f"{name}: permission denied") from None
    with file:
        yield _as_named(file, name, Path(path).suffix)


def unpack(content: bytes, name: str) -> bytes:
    """The same of a file that is in memory."""
    return _as_named(io.BufferedReader(io.BytesIO(content)), name, Path(name).suffix).read()


def _as_named(file: io.BufferedReader, name: str, suffix: str) -> io.BufferedReader:
    stream = unpacked(file, name)
    if suffix in SUFFIXES and stream is file:
        raise DataError(f"{name}: is no {suffix[1:]} file though its name says so")
    return stream
