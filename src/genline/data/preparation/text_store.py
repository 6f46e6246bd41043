"""Cleaned texts on their way from the raw files to the packed arrays: on disk, part by part.

Of each part there is a file of texts one after another in UTF-8, and one of a fixed number of bytes
a text: where it ends, and what splits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.files import OutputFile
from genline.data.preparation.assignment import ITEM
from genline.data.preparation.folder import write_array

Chosen = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TextStore:
    """The texts of all parts, numbered through. counts: how many each part has."""

    folder: Path
    counts: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.counts)

    def slices(self) -> Iterator[tuple[int, slice]]:
        """Each part's number, and which of all the texts are its."""
        start = 0
        for part, count in enumerate(self.counts):
            yield part, slice(start, start + count)
            start += count

    def items(self) -> npt.NDArray[Any]:
        """What splits the texts: ITEM (n,)."""
        items = np.empty(len(self), ITEM)
        for part, own in self.slices():
            items[own] = np.load(_path(self.folder, part, "items.npy"))
        return items

    def part(self, part: int, chosen: Chosen | None = None) -> list[str]:
        """The texts of a part, or those ``chosen`` of them."""
        content = _path(self.folder, part, "txt").read_bytes()
        ends = np.load(_path(self.folder, part, "ends.npy"))
        begins = ends - np.diff(ends, prepend=0)
        if chosen is not None:
            begins, ends = begins[chosen], ends[chosen]
        both = zip(begins.tolist(), ends.tolist(), strict=True)
        return [content[begin:end].decode() for begin, end in both]

    def at(self, indices: npt.NDArray[np.int64]) -> list[str]:
        """Texts from anywhere, each read on its own; ``indices`` rise."""
        found = []
        for part, own in self.slices():
            first, last = np.searchsorted(indices, (own.start, own.stop))
            if first < last:
                ends = _ends(str(self.folder), part)
                places = indices[first:last] - own.start
                begins = np.where(places > 0, ends[places - 1], 0)
                both = zip(begins.tolist(), ends[places].tolist(), strict=True)
                with _path(self.folder, part, "txt").open("rb", buffering=0) as file:
                    for begin, end in both:
                        file.seek(begin)
                        found.append(file.read(end - begin).decode())
        return found


@dataclass(frozen=True)
class ChosenTexts:
    """Those texts of a store that are ``chosen`` (n,), read anew each time."""

    store: TextStore
    chosen: Chosen

    def __iter__(self) -> Iterator[str]:
        for part, own in self.store.slices():
            yield from self.store.part(part, self.chosen[own])


def write_part(
    folder: Path, part: int, texts: Iterable[str], items: list[tuple[int, int, int]]
) -> None:
    """Put the texts of a part and what splits them into the store in ``folder``."""
    ends: list[int] = []
    with OutputFile(_path(folder, part, "txt")) as file:
        for text in texts:
            file.write(text.encode())
            ends.append(file.tell())
    write_array(_path(folder, part, "ends.npy"), np.array(ends, np.int64))
    write_array(_path(folder, part, "items.npy"), np.array(items, ITEM))


@lru_cache(maxsize=64)
def _ends(folder: str, part: int) -> npt.NDArray[np.int64]:
    ends: npt.NDArray[np.int64] = np.load(_path(Path(folder), part, "ends.npy"))
    return ends


def _path(folder: Path, part: int, what: str) -> Path:
    return folder / f"part-{part:06}.{what}"
