"""Images into packed splits of grey levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import digest_bytes
from genline.data.preparation.assignment import Items, assign
from genline.data.preparation.clusters import cluster
from genline.data.preparation.config import PrepareImages
from genline.data.preparation.folder import write_array
from genline.data.preparation.splits import Indices
from genline.data.prepared import SPLITS, ImageSpec, SplitName, spec_to_json
from genline.data.sources.items import ImageItem


def prepare(
    read: Callable[[], Iterable[ImageItem]],
    source: dict[str, Any],
    section: PrepareImages,
    seed: int,
    folder: Path,
) -> dict[str, Any]:
    """Write ``<split>_images.npy`` and ``<split>_labels.npy`` into ``folder``; return the meta.

    ``read`` gives the items anew at each call, since they are gone through twice: memory holds
    one image, and of the others their keys. Equal images stay in one split, whatever their labels.
    Without labels, groups of like images stand for classes. Raises DataError naming the item whose
    shape, grey level or label does not fit.
    """
    levels, classes = source["levels"], source["classes"]
    shape: tuple[int, ...] = ()
    names, keys, digests, labels = [], [], [], []
    for item in read():
        shape = shape or item.pixels.shape
        _check(item, shape, levels, classes)
        names.append(item.name)
        keys.append(item.keys)
        digests.append(digest_bytes(item.pixels.astype(np.uint8).tobytes()))
        labels.append(item.label)
    strata = labels if classes else [0] * len(labels)
    found = assign(Items(names, keys, digests, strata), section, seed)
    arrays = _write(read(), found.parts, shape, folder)
    if classes:
        own = {n: np.array([labels[i] for i in found.parts[n]], np.int64) for n in SPLITS}
    else:
        own = cluster(arrays, section.clusters, seed)
    for name in SPLITS:
        write_array(folder, f"{name}_labels", own[name])
    channels, height, width = shape
    seen = classes or section.clusters
    return {
        "spec": spec_to_json(ImageSpec(channels, height, width, levels, seen)),
        "counts": {name: len(found.parts[name]) for name in SPLITS},
        "repeated": len(digests) - len(set(digests)),
        "dropped": {"repeated_across_splits": found.repeated_across},
        "labels": "given" if classes else "clusters",
    }


def _write(
    items: Iterable[ImageItem],
    parts: dict[SplitName, Indices],
    shape: tuple[int, ...],
    folder: Path,
) -> dict[SplitName, npt.NDArray[np.uint8]]:
    """Each image into its place in its split's array, which lies on disk."""
    places = {index: (n, row) for n in SPLITS for row, index in enumerate(parts[n].tolist())}
    arrays: dict[SplitName, npt.NDArray[np.uint8]] = {
        name: np.lib.format.open_memmap(
            folder / f"{name}_images.npy", "w+", np.uint8, (len(indices), *shape)
        )
        for name, indices in parts.items()
    }
    for index, item in enumerate(items):
        if index in places:
            name, row = places[index]
            arrays[name][row] = item.pixels
    return arrays


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
