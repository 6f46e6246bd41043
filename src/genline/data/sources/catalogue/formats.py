"""Reading the canonical files of catalogued data sets, by the ``format`` of their manifest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any

import numpy as np

from genline.core.errors import DataError
from genline.data.sources.catalogue.manifest import File, Manifest
from genline.data.sources.files.archives import members
from genline.data.sources.files.compressed import open_data
from genline.data.sources.files.idx import open_idx
from genline.data.sources.files.lines import lines
from genline.data.sources.files.pickles import read_pickle
from genline.data.sources.items import Keys
from genline.data.sources.packed import ImageRow, TextRow

Files = list[tuple[File, Path]]

_REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos)/\d+_\d+\.txt")
_BATCH = re.compile(r"cifar-10-batches-py/(data_batch_\d|test_batch)")
_LONGEST = 1_000_000  # characters of a line


def idx(manifest: Manifest, files: Files) -> Iterator[ImageRow]:
    """Pairs of IDX files, images and labels of one split."""
    wanted = tuple(manifest.shape[1:])
    for file, path in files:
        if file.holds != "images":
            continue
        other, other_path = next(
            (f, p) for f, p in files if f.split == file.split and f.holds == "labels"
        )
        with open_idx(path, 3, file.name) as images, open_idx(other_path, 1, other.name) as labels:
            if images.count != labels.count or images.shape != wanted:
                raise DataError(
                    f"{file.name}: {images.count} images of {images.shape} for {labels.count} "
                    f"labels, wanted as many images of {wanted}"
                )
            keys = Keys(split=file.split or "")
            pairs = zip(images.items(), labels.items(), strict=True)
            for number, (pixels, label) in enumerate(pairs, start=1):
                name = f"{file.name} image {number}"
                yield ImageRow(name, pixels[None], _class(manifest, int(label), name), keys)


def cifar(manifest: Manifest, files: Files) -> Iterator[ImageRow]:
    """The batches of CIFAR-10, in the order of their names: train, then test."""
    ((_, path),) = files
    shape = tuple(manifest.shape)
    found = False
    for batch, content in _in_order(path, _BATCH):
        found = True
        where = f"{path.name}, {batch}"
        data = read_pickle(content, where)
        images, labels = (data.get(k) if isinstance(data, dict) else None for k in _CIFAR_KEYS)
        if (
            not isinstance(images, np.ndarray)
            or not isinstance(labels, list)
            or images.dtype != np.uint8
            or images.shape != (len(labels), int(np.prod(shape)))
        ):
            raise DataError(f"{where}: wanted as many images of {shape} under 'data' as 'labels'")
        keys = Keys(split="test" if batch.endswith("test_batch") else "train")
        for number, (pixels, label) in enumerate(zip(images, labels, strict=True), start=1):
            name = f"{Path(batch).name} image {number}"
            yield ImageRow(name, pixels.reshape(shape), _class(manifest, label, name), keys)
    if not found:
        raise DataError(f"{path.name}: holds no batches of CIFAR-10")


def text_lines(manifest: Manifest, files: Files) -> Iterator[TextRow]:
    """One text a line; blank lines are none."""
    for file, path in files:
        with open_data(path, file.name) as stream:
            for line in lines(stream, "utf-8", _LONGEST, file.name):
                name = f"{file.name} line {line.number}"
                if line.trouble:
                    raise DataError(f"{name}: {line.trouble}")
                if line.text.strip():
                    yield TextRow(name, line.text.strip(), "", Keys(split=file.split or ""))


def reviews(manifest: Manifest, files: Files) -> Iterator[TextRow]:
    """The labelled reviews of the Large Movie Review Dataset, in the order of their names.

    In that order whatever the order in the archive, so that another packing gives the same.
    """
    ((_, path),) = files
    for name, content in _in_order(path, _REVIEW):
        _, split, label, _ = name.split("/")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{path.name}, {name}: byte {error.start + 1} is not UTF-8") from None
        yield TextRow(name, text, label, Keys(split=split))


def _in_order(path: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """Members of an archive whose names match, in the order of these.

    An archive is read in its own order, and once: meanwhile what was read waits on disk.
    """
    places: list[tuple[str, int, int]] = []
    with TemporaryFile() as waiting:
        for member in members(path, lambda name: bool(wanted.fullmatch(name))):
            content = member.read()
            places.append((member.name, waiting.tell(), len(content)))
            try:
                waiting.write(content)
                waiting.flush()
            except OSError as error:  # a full disk: the file has no name, its folder has one
                error.filename = gettempdir()
                raise
        for name, start, size in sorted(places):
            waiting.seek(start)
            yield name, waiting.read(size)


def _class(manifest: Manifest, label: Any, name: str) -> str:
    if not isinstance(label, int) or not 0 <= label < len(manifest.classes):
        raise DataError(f"{name}: label is {label}, wanted 0 to {len(manifest.classes) - 1}")
    return manifest.classes[label]


_CIFAR_KEYS = (b"data", b"labels")
IMAGE_FORMATS: dict[str, Callable[[Manifest, Files], Iterator[ImageRow]]] = {
    "idx": idx,
    "cifar": cifar,
}
TEXT_FORMATS: dict[str, Callable[[Manifest, Files], Iterator[TextRow]]] = {
    "lines": text_lines,
    "reviews": reviews,
}
