"""IDX files, the form of MNIST: a header with type and sizes, then the numbers, big-endian."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.data.sources.files.compressed import open_data

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_LARGEST_ITEM = 2**28  # bytes


@dataclass(frozen=True)
class Idx:
    """An opened file: how many items it says it holds, and the shape and type of each."""

    name: str
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    file: BinaryIO

    def items(self) -> Iterator[npt.NDArray[Any]]:
        """Each item, (*shape). Raises DataError when the file ends early or goes on after."""
        size = math.prod(self.shape) * self.dtype.itemsize
        for number in range(1, self.count + 1):
            content = self.file.read(size)
            if len(content) < size:
                raise DataError(
                    f"{self.name}: ends in item {number} of the {self.count} its header tells; "
                    "get it again"
                )
            yield np.frombuffer(content, self.dtype).reshape(self.shape)
        if self.file.read(1):
            raise DataError(f"{self.name}: goes on after the {self.count} items its header tells")


@contextmanager
def open_idx(path: Path, dimensions: int, name: str = "") -> Iterator[Idx]:
    """Open an IDX file, which may be compressed, of so many ``dimensions``: 3 are images, 1 labels.

    Raises DataError with what was found where its header is not that of such a file.
    """
    name = name or path.name
    with open_data(path, name) as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
            raise DataError(f"{name}: begins with {head.hex(' ') or 'nothing'}, not an IDX file")
        if head[3] != dimensions:
            raise DataError(f"{name}: has {head[3]} dimensions, wanted {dimensions}")
        sizes = file.read(4 * dimensions)
        if len(sizes) < 4 * dimensions:
            raise DataError(f"{name}: ends within its header")
        count, *shape = np.frombuffer(sizes, ">u4").tolist()
        dtype = np.dtype(_TYPES[head[2]])
        if not count or not all(shape) or math.prod(shape) * dtype.itemsize > _LARGEST_ITEM:
            raise DataError(f"{name}: its header tells of {count} items of shape {tuple(shape)}")
        yield Idx(name, count, tuple(shape), dtype, file)
