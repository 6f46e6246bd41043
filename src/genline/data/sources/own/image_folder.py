"""Pictures in a folder or archive, brought to one shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from genline.core.errors import DataError
from genline.core.progress import Progress
from genline.data.engines.ordered import Engine
from genline.data.sources.files.archives import count_members, members, read_file
from genline.data.sources.files.pictures import SUFFIXES, Form, decode
from genline.data.sources.own.config import ImageFolder
from genline.data.sources.own.places import from_folders
from genline.data.sources.packed import BadItems, ImageRow, items, write_images

__all__ = ["fetch", "items"]

_PICTURES = 256  # decoded together
_DECODED = 2**23  # or fewer, so that their pixels take at most these bytes
_READ = 2**23  # or fewer, out of an archive, when their files take these


@dataclass(frozen=True)
class _File:
    """A picture's name, and where it lies or what is in it."""

    name: str
    content: Path | bytes


def fetch(section: ImageFolder, folder: Path, engine: Engine) -> dict[str, Any]:
    """Decode every picture, in the order of names; return the record.

    Raises DataError naming the file that is no picture, is damaged or stands where it should not,
    unless such are skipped; and when there are none at all.
    """
    bad = BadItems(section.on_bad_item == "skip")
    path = Path(section.path)
    with Progress(
        f"reading {path.name}", count_members(path, is_picture), unit="picture", brief=True
    ) as bar:
        record = write_images(folder, _rows(section, bad, engine, bar), bad)
    return {**record, "description": f"pictures, {section.fit} to {section.height}×{section.width}"}


def _rows(
    section: ImageFolder, bad: BadItems, engine: Engine, progress: Progress
) -> Iterator[ImageRow]:
    files = _together(section)
    for decoded in engine.map(partial(_decoded, section), files):
        for found in decoded:
            if isinstance(found, DataError):
                bad.met(found)
            else:
                yield found
        progress.advance(len(decoded))


def _together(section: ImageFolder) -> Iterator[list[_File]]:
    pixels = section.channels * section.height * section.width
    most = max(1, min(_PICTURES, _DECODED // pixels))
    files: list[_File] = []
    size = 0
    for member in members(Path(section.path), is_picture):
        content = member.path or member.read()
        files.append(_File(member.name, content))
        size += len(content) if isinstance(content, bytes) else 0
        if len(files) == most or size > _READ:
            yield files
            files, size = [], 0
    if files:
        yield files


def _decoded(section: ImageFolder, files: Iterable[_File]) -> list[ImageRow | DataError]:
    """Of each picture its row, or what is wrong with it."""
    form = Form(section.channels, section.height, section.width, section.fit, section.background)
    found: list[ImageRow | DataError] = []
    for file in files:
        try:
            label, keys = from_folders(file.name, section.folders)
            content = file.content if isinstance(file.content, bytes) else read_file(file.content)
            found.append(ImageRow(file.name, decode(content, form, file.name).pixels, label, keys))
        except DataError as error:
            found.append(error)
    return found


def is_picture(name: str) -> bool:
    """Whether the name of a file ends as that of a picture."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES
