"""A catalogued data set as a source: fetched, checked, and brought into the packed raw form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genline.core.errors import DataError
from genline.core.files import digest_value
from genline.data.engines.ordered import Engine
from genline.data.sources.catalogue.cache import obtain
from genline.data.sources.catalogue.formats import IMAGE_FORMATS, TEXT_FORMATS
from genline.data.sources.catalogue.manifest import read_manifest
from genline.data.sources.config import Catalogued
from genline.data.sources.packed import BadItems, items, write_images, write_texts

__all__ = ["fetch", "items"]


def fetch(section: Catalogued, folder: Path, engine: Engine) -> dict[str, Any]:
    """Get the files of the manifest and pack their items into ``folder``; return their record."""
    manifest = read_manifest(section.path)
    if manifest.kind != section.kind:
        raise DataError(
            f"{section.path}: describes {manifest.kind}s, but '{section.name}' is a data set of "
            f"{section.kind}s; give the manifest of {section.name}"
        )
    files = [(f, obtain(section.name, manifest, f, section.mirror)) for f in manifest.files]
    bad = BadItems(skip=False)
    if manifest.kind == "image":
        rows = IMAGE_FORMATS[manifest.format](manifest, files)
        record = write_images(folder, rows, bad, manifest.classes)
    else:
        record = write_texts(folder, TEXT_FORMATS[manifest.format](manifest, files), bad)
    if record["items"] != manifest.items:
        raise DataError(
            f"{section.name}: {record['items']} items in its files, wanted {manifest.items} as "
            f"{section.path} says"
        )
    return {
        **record,
        # Not of the file fetched: a mirror's own packing holds the same items.
        "versions": {"manifest": digest_value(manifest.model_dump())[:12]},
        "title": manifest.title,
        "licence": manifest.licence,
        "citation": manifest.citation,
    }
