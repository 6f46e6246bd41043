"""Images in IDX files, the form of MNIST."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from genline.core.errors import DataError
from genline.data.engines.ordered import Engine
from genline.data.sources.files.idx import open_idx
from genline.data.sources.items import Keys
from genline.data.sources.own.config import Idx, Part
from genline.data.sources.packed import BadItems, ImageRow, items, write_images

__all__ = ["fetch", "items"]


def fetch(section: Idx, folder: Path, engine: Engine) -> dict[str, Any]:
    """Bring the files into one array; return the record.

    Raises DataError naming the file whose header or length does not fit.
    """
    rows = (row for part in section.parts for row in _rows(Path(section.path), part))
    record = write_images(folder, rows, BadItems(skip=False))
    return {**record, "description": "images from IDX files"}


def _rows(root: Path, part: Part) -> Iterator[ImageRow]:
    keys = Keys(split=part.split or "")
    with ExitStack() as stack:
        images = stack.enter_context(open_idx(root / part.images, 3))
        if images.dtype != np.uint8:
            raise DataError(f"{part.images}: holds {images.dtype}, wanted bytes (uint8)")
        labels: Any = repeat("")
        if part.labels is not None:
            opened = stack.enter_context(open_idx(root / part.labels, 1))
            if opened.count != images.count:
                raise DataError(f"{part.labels}: {opened.count} labels for {images.count} images")
            labels = opened.items()
        for number, pixels in enumerate(images.items(), start=1):
            label = str(next(labels))
            yield ImageRow(f"{part.images} image {number}", pixels[None], label, keys)
