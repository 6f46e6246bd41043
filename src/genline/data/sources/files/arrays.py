"""Arrays of numbers in .npy and .npz files, some items at a time. Nothing is unpickled.

A place is an .npz, whose arrays have names; a folder, whose .npy files do; or one .npy file, by its
own name. An .npy may be compressed.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError, nearest
from genline.core.files import require_regular
from genline.data.sources.files.compressed import (
    FREE_BYTES,
    LARGEST_RATIO,
    is_plain,
    open_data,
    plain_name,
)

_KINDS = "biufU"  # whole numbers, fractions, and words for labels
_LARGEST_ITEM = 2**28  # bytes
_LARGEST_TURNED = 2**31  # bytes of a packed array whose items do not lie one after another
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Shape:
    """What the header of an array says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def is_array(path: Path | str) -> bool:
    """Whether the name of ``path`` is that of an .npy, compressed or not."""
    return plain_name(path).lower().endswith(".npy")


def array_names(place: Path) -> list[str]:
    """The names of the arrays in ``place``, in order. Raises DataError where it is none."""
    if place.is_dir():
        return sorted(path.name for path in place.iterdir() if is_array(path))
    if is_array(place):
        return [place.name]
    with _archive(place) as archive:
        return [info.removesuffix(".npy") for info in archive.namelist()]


def describe(place: Path, name: str) -> Shape:
    """Raises DataError where the array is missing, damaged, or of anything but numbers or words."""
    with ExitStack() as stack:
        try:
            found, _ = _header(stack.enter_context(_Opened(place, name)).file)
        except DataError:
            raise
        except Exception as error:
            raise _broken(place, name, error) from None
    if found.dtype.kind not in _KINDS:
        raise DataError(f"{_where(place, name)}: no array of numbers, but of {found.dtype}")
    size = math.prod(found.shape[1:]) * found.dtype.itemsize
    if min(found.shape, default=0) < 0 or size > _LARGEST_ITEM:
        raise DataError(f"{_where(place, name)}: its header tells of the shape {found.shape}")
    return found


def blocks(place: Path, name: str, count: int) -> Iterator[npt.NDArray[Any]]:
    """The items of an array, ``count`` at a time. Raises DataError as :func:`describe` does, and
    when the file ends before the items that its header tells."""
    found = describe(place, name)
    with _Opened(place, name) as opened:
        try:
            yield from _read(opened, found, count)
        except DataError:
            raise
        # Whatever the bytes of a damaged file lead a library to raise.
        except Exception as error:
            raise _broken(place, name, error) from None


def _read(opened: _Opened, found: Shape, count: int) -> Iterator[npt.NDArray[Any]]:
    items = found.shape[0] if found.shape else 0
    if opened.plain:
        array = np.load(opened.plain, mmap_mode="r", allow_pickle=False)
        for start in range(0, items, count):
            yield array[start : start + count].view(np.ndarray)
        return
    _, by_columns = _header(opened.file)
    own = found.shape[1:]
    if by_columns and own:
        size = math.prod(found.shape) * found.dtype.itemsize
        if size > _LARGEST_TURNED:
            raise DataError(f"{opened.where}: in Fortran's order and large; save it in C's order")
        content = _exactly(opened.file, size)
        whole = np.frombuffer(content, found.dtype).reshape(found.shape, order="F")
        for start in range(0, items, count):
            yield whole[start : start + count]
        return
    for start in range(0, items, count):
        some = min(count, items - start)
        content = _exactly(opened.file, some * math.prod(own) * found.dtype.itemsize)
        yield np.frombuffer(content, found.dtype).reshape(some, *own)


def _exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise EOFError("it ends before the items that its header tells")
    return content


def _header(file: BinaryIO) -> tuple[Shape, bool]:
    """Shape and type, and whether the array is in Fortran's order."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format")
    shape, by_columns, dtype = _HEADERS[version](file)
    return Shape(shape, dtype), by_columns


class _Opened:
    """One array's bytes; ``plain``: its path where they stand in a file as they are."""

    def __init__(self, place: Path, name: str) -> None:
        self.where = _where(place, name)
        self.plain: Path | None = None
        self._place, self._name = place, name
        self._stack = ExitStack()

    def __enter__(self) -> _Opened:
        self.file = self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> BinaryIO:
        place, name = self._place, self._name
        if not place.exists():
            raise DataError(f"{place}: no such file or folder")
        if place.is_dir() or is_array(place):
            known = array_names(place)
            if name not in known:
                raise DataError(f"{place}: no file '{name}' in it; {nearest(name, known)}")
            path = place / name if place.is_dir() else place
            self.plain = path if is_plain(path) else None
            return cast(BinaryIO, self._stack.enter_context(open_data(path, self.where)))
        archive = self._stack.enter_context(_archive(place))
        inside = archive.namelist()
        member = next((n for n in (f"{name}.npy", name) if n in inside), None)
        if member is None:
            known = [n.removesuffix(".npy") for n in inside]
            raise DataError(f"{place}: no array '{name}' in it; {nearest(name, known)}")
        try:
            return cast(BinaryIO, io.BufferedReader(cast(Any, archive.open(member)), 2**20))
        except Exception as error:
            raise _broken(place, name, error) from None


def _archive(place: Path) -> zipfile.ZipFile:
    try:
        require_regular(place)
        archive = zipfile.ZipFile(place)
    except (FileNotFoundError, PermissionError) as error:
        raise DataError(f"{place}: {error.strerror}") from None
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{place}: not a whole .npz ({_reason(error)})") from None
    total = sum(info.file_size for info in archive.infolist())
    if total > max(FREE_BYTES, LARGEST_RATIO * place.stat().st_size):
        archive.close()
        raise DataError(f"{place}: unpacks to over {LARGEST_RATIO} times its size")
    return archive


def _broken(place: Path, name: str, error: Exception) -> DataError:
    return DataError(f"{_where(place, name)}: no array of numbers, or damaged ({_reason(error)})")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _where(place: Path, name: str) -> str:
    return place.name if place.name == name else f"{place.name}, {name}"
