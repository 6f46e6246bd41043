"""Raw items in parts that can be read apart from each other, in any process.

Parts depend on the raw files alone, so that what is made of them never depends on who does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from genline.data.sources import packed, registry
from genline.data.sources.items import ImageItem, TextItem

_BLOCK = 2**23  # bytes of images read together


@dataclass(frozen=True)
class Part:
    """A run of the items in ``folder``, which is named from the project's top folder."""

    number: int  # from 0
    folder: str
    rows: packed.Rows | None  # None: all of them, as their source reads them


def parts(folder: Path) -> list[Part]:
    """The parts of the raw items, in order; one alone of a source that does not pack its items."""
    found = packed.row_groups(folder) if registry.is_packed(folder) else [None]
    return [Part(number, str(folder), rows) for number, rows in enumerate(found)]


def texts(part: Part) -> Iterator[TextItem]:
    """The items of a part of texts."""
    return cast(Iterator[TextItem], _items(part))


def images(part: Part) -> Iterator[ImageItem]:
    """The items of a part of images."""
    return cast(Iterator[ImageItem], _items(part))


def pixels(part: Part) -> Iterator[npt.NDArray[np.uint8]]:
    """The images of a part alone, in blocks of some megabytes: (n, channels, height, width)."""
    if part.rows is None:
        yield from (item.pixels[None].astype(np.uint8) for item in images(part))
        return
    all_of_them = packed.pixels(Path(part.folder))
    own = all_of_them[part.rows.first : part.rows.first + part.rows.count]
    step = max(1, _BLOCK // max(own[:1].nbytes, 1))
    for start in range(0, len(own), step):
        yield own[start : start + step]


def _items(part: Part) -> Any:
    folder = Path(part.folder)
    return registry.items(folder) if part.rows is None else packed.items(folder, part.rows)
