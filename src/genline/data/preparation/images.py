"""Images into packed splits of grey levels."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import OutputFile
from genline.core.progress import Progress
from genline.data.engines.ordered import Engine
from genline.data.preparation.assignment import ITEM, Homes, assign, describe, places
from genline.data.preparation.clusters import cluster
from genline.data.preparation.config import PrepareImages
from genline.data.preparation.equal import first_of_equal
from genline.data.preparation.folder import write_array, write_header
from genline.data.prepared import SPLITS, ImageSpec, SplitName, spec_to_json
from genline.data.sources import parts
from genline.data.sources.items import ImageItem
from genline.data.sources.parts import Part


@dataclass(frozen=True)
class _Seen:
    """What a part holds beside its pixels: what splits it, int64 labels, and the shape."""

    items: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    first: str
    shape: tuple[int, ...]


def prepare(
    raw: list[Part],
    source: dict[str, Any],
    section: PrepareImages,
    seed: int,
    folder: Path,
    engine: Engine,
) -> dict[str, Any]:
    """Write ``<split>_images.npy`` and ``<split>_labels.npy`` into ``folder``; return the meta.

    The raw parts are gone through twice: memory holds a block of images, and 25 bytes of each of
    the others. Equal images stay in one split, whatever their labels. Without labels, groups of
    like images stand for classes. Raises DataError naming the item whose shape, grey level or label
    does not fit.
    """
    levels, classes = source["levels"], source["classes"]
    seen: list[_Seen] = []
    with Progress("preparing", source.get("items", 0), unit="image", brief=True) as bar:
        for found in engine.map(partial(_look, levels, classes, section), raw):
            seen.append(found)
            _require_shape(found.first, found.shape, seen[0].shape)
            bar.advance(len(found.labels))
    items = np.concatenate([found.items for found in seen])
    labels = np.concatenate([found.labels for found in seen])
    assigned = assign(items, section, seed, labels)
    _write(raw, assigned.homes, seen[0].shape, folder)
    if classes:
        own = {name: labels[assigned.homes == place] for name, place in places()}
    else:
        own = cluster(_written(folder), section.clusters, seed)
    for name in SPLITS:
        write_array(folder / f"{name}_labels.npy", own[name])
    channels, height, width = seen[0].shape
    different = first_of_equal(items["digest"]) == np.arange(len(items))
    spec = ImageSpec(channels, height, width, levels, classes or section.clusters)
    absent = _absent(own, source.get("class_names") or list(map(str, range(classes))))
    return {
        **({"absent": absent} if absent else {}),
        "spec": spec_to_json(spec),
        "counts": {name: len(own[name]) for name in SPLITS},
        "repeated": int((~different).sum()),
        "dropped": {"repeated_across_splits": assigned.repeated_across},
        "labels": "given" if classes else "clusters",
    }


def _absent(
    labels: dict[SplitName, npt.NDArray[np.int64]], classes: list[str]
) -> dict[SplitName, list[str]]:
    """Of each split the classes that it lacks and another has; none where there are none."""
    met = {name: set(own.tolist()) for name, own in labels.items()}
    every = set().union(*met.values())
    lacking = {name: sorted(every - own) for name, own in met.items() if every - own}
    return {name: [classes[label] for label in own] for name, own in lacking.items() if classes}


def _look(levels: int, classes: int, section: PrepareImages, part: Part) -> _Seen:
    """All of a part's images, checked."""
    rows: list[tuple[int, int, int]] = []
    labels: list[int] = []
    first, shape = "", tuple[int, ...]()
    for item in parts.images(part):
        first, shape = first or item.name, shape or item.pixels.shape
        _check(item, shape, levels, classes)
        rows.append(describe(item.name, item.keys, item.pixels.astype(np.uint8).tobytes(), section))
        labels.append(item.label if classes and item.label is not None else 0)
    return _Seen(np.array(rows, ITEM), np.array(labels, np.int64), first, shape)


def _check(item: ImageItem, shape: tuple[int, ...], levels: int, classes: int) -> None:
    _require_shape(item.name, item.pixels.shape, shape)
    # Of bytes every value is a grey level where there are as many levels.
    if item.pixels.dtype != np.uint8 or levels <= np.iinfo(np.uint8).max:
        low, high = int(item.pixels.min()), int(item.pixels.max())
        if low < 0 or high >= levels:
            raise DataError(
                f"{item.name}: found grey levels {low} to {high}, wanted 0 to {levels - 1}"
            )
    if classes and (item.label is None or not 0 <= item.label < classes):
        raise DataError(f"{item.name}: found label {item.label}, wanted 0 to {classes - 1}")


def _require_shape(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise DataError(f"{name}: found shape {found}, wanted {wanted} as the first image has")


def _write(raw: list[Part], homes: Homes, shape: tuple[int, ...], folder: Path) -> None:
    """Each image to the end of its split's array.

    By plain writes: on a full disk, one into a memory-mapped file ends the process.
    """
    with ExitStack() as stack:
        files: dict[SplitName, OutputFile] = {}
        for name, place in places():
            files[name] = stack.enter_context(OutputFile(_path(folder, name)))
            write_header(files[name], np.uint8, (int((homes == place).sum()), *shape))
        start = 0
        for part in raw:
            for block in parts.pixels(part):
                own = homes[start : start + len(block)]
                start += len(block)
                for name, place in places():
                    files[name].write(np.ascontiguousarray(block[own == place]).data)


def _written(folder: Path) -> dict[SplitName, npt.NDArray[np.uint8]]:
    return {name: np.load(_path(folder, name), mmap_mode="r") for name in SPLITS}


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}_images.npy"
