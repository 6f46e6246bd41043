"""Pictures in a folder or archive, brought to one shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from genline.core.errors import DataError
from genline.data.sources.files.archives import members
from genline.data.sources.files.pictures import SUFFIXES, Form, decode
from genline.data.sources.own.config import ImageFolder
from genline.data.sources.own.places import from_folders
from genline.data.sources.packed import BadItems, ImageRow, items, write_images

__all__ = ["fetch", "items"]


def fetch(section: ImageFolder, folder: Path) -> dict[str, Any]:
    """Decode every picture, in the order of names; return the record.

    Raises DataError naming the file that is no picture, is damaged or stands where it should not,
    unless such are skipped; and when there are none at all.
    """
    bad = BadItems(section.on_bad_item == "skip")
    record = write_images(folder, _rows(section, bad), bad)
    return {**record, "description": f"pictures, {section.fit} to {section.height}×{section.width}"}


def _rows(section: ImageFolder, bad: BadItems) -> Iterator[ImageRow]:
    form = Form(section.channels, section.height, section.width, section.fit, section.background)
    for member in members(Path(section.path), is_picture):
        try:
            label, keys = from_folders(member.name, section.folders)
            picture = decode(member.read(), form, member.name)
        except DataError as error:
            bad.met(error)
            continue
        yield ImageRow(member.name, picture.pixels, label, keys)


def is_picture(name: str) -> bool:
    """Whether the name of a file ends as that of a picture."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES
