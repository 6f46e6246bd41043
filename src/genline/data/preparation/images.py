"""Images into packed splits of grey levels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from genline.core.errors import DataError
from genline.core.files import digest_bytes
from genline.data.preparation.config import PrepareImages
from genline.data.preparation.folder import write_array
from genline.data.preparation.splits import split
from genline.data.prepared import SPLITS, ImageSpec, spec_to_json
from genline.data.sources.items import ImageItem


def prepare(
    items: Iterable[ImageItem],
    source: dict[str, Any],
    section: PrepareImages,
    seed: int,
    folder: Path,
) -> dict[str, Any]:
    """Write ``<split>_images.npy`` and ``<split>_labels.npy`` into ``folder``; return the meta.

    Equal images stay in one split, whatever their labels. Raises DataError naming the item whose
    shape, grey level or label does not fit.
    """
    found = list(items)
    shape, levels, classes = found[0].pixels.shape, source["levels"], source["classes"]
    for item in found:
        _check(item, shape, levels, classes)
    images = np.stack([item.pixels for item in found]).astype(np.uint8)
    labels = np.array([item.label for item in found if item.label is not None], np.int64)
    groups = [digest_bytes(image.tobytes()) for image in images]
    strata = labels.tolist() if classes else [0] * len(images)
    parts = split(groups, strata, section.valid, section.test, seed)
    for name in SPLITS:
        write_array(folder, f"{name}_images", images[parts[name]])
        if classes:
            write_array(folder, f"{name}_labels", labels[parts[name]])
    channels, height, width = shape
    return {
        "spec": spec_to_json(ImageSpec(channels, height, width, levels, classes)),
        "counts": {name: len(parts[name]) for name in SPLITS},
        "repeated": len(groups) - len(set(groups)),
    }


def _check(item: ImageItem, shape: tuple[int, ...], levels: int, classes: int) -> None:
    if item.pixels.shape != shape:
        raise DataError(
            f"{item.name}: found shape {item.pixels.shape}, wanted {shape} as the first image has"
        )
    low, high = int(item.pixels.min()), int(item.pixels.max())
    if low < 0 or high >= levels:
        raise DataError(f"{item.name}: found grey levels {low} to {high}, wanted 0 to {levels - 1}")
    if classes and (item.label is None or not 0 <= item.label < classes):
        raise DataError(f"{item.name}: found label {item.label}, wanted 0 to {classes - 1}")
