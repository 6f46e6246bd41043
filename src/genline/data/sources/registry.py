"""Every source by name. A source is a module with two functions:

``fetch(section, folder, engine) -> dict`` writes the raw files into ``folder`` and returns what to
record of them; ``items(folder)`` reads them back one by one, in a fixed order.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

from genline.core.errors import DataError, nearest
from genline.core.files import read_json, write_json
from genline.core.folders import replaced_folder
from genline.data.engines.ordered import Engine, Here
from genline.data.sources import packed
from genline.data.sources.config import SOURCES, Source
from genline.data.sources.items import Items

RECORD = "source.json"
_AGAIN = "run the download stage again"


def fetch(section: Source, folder: Path, engine: Engine | None = None) -> None:
    """Write the raw files of ``section`` and their record ``source.json`` as ``folder``.

    ``engine``: where many files or a large one are read; by default in this process. On failure,
    what stood there before is untouched.
    """
    with replaced_folder(folder) as building:
        record = _module(section.name).fetch(section, building, engine or Here())
        write_json(building / RECORD, {"name": section.name, "kind": section.kind, **record})


def record(folder: Path) -> dict[str, Any]:
    """What ``source.json`` says of the raw files in ``folder``.

    Raises DataError where it lacks what the stages read of it.
    """
    file = folder / RECORD
    found: dict[str, Any] = read_json(file)
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str) or name not in SOURCES:
        raise DataError(f"{file}: names no known source; {_AGAIN}")
    if found.get("kind") not in ("image", "text"):
        raise DataError(f"{file}: kind is neither image nor text; {_AGAIN}")
    if not isinstance(found.get("versions"), dict):
        raise DataError(f"{file}: holds no versions; {_AGAIN}")
    numbers = {"levels": 2, "classes": 0} if found["kind"] == "image" else {}
    for key, least in numbers.items():
        if type(found.get(key)) is not int or not least <= found[key] <= 2**31:
            raise DataError(f"{file}: {key} is not a whole number, {least} or more; {_AGAIN}")
    return found


def items(folder: Path) -> Items:
    """The raw items in ``folder``, read by the source that wrote them."""
    return cast(Items, _module(record(folder)["name"]).items(folder))


def is_packed(folder: Path) -> bool:
    """Whether the raw items in ``folder`` are in the form that own and catalogued data have."""
    return bool(_module(record(folder)["name"]).items is packed.items)


def of_kind(folder: Path, kind: str, dataset: str) -> dict[str, Any]:
    """The record of ``folder``. Raises DataError if its items are not of ``kind``."""
    found = record(folder)
    if found["kind"] != kind:
        raise DataError(
            f"params.yaml: datasets.{dataset}.kind is '{kind}', but its source "
            f"'{found['name']}' gives {found['kind']}s; set kind to {found['kind']}"
        )
    return found


def _module(name: str) -> Any:
    if name not in SOURCES:
        raise DataError(f"unknown source '{name}'; {nearest(name, SOURCES)}")
    return importlib.import_module(f"genline.data.sources.{SOURCES[name][1]}")
