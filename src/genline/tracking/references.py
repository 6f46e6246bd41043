"""How a person names a model: ``digits-vae@champion``, ``digits-vae/3``, a run id, or a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from genline.core.errors import ModelError, nearest
from genline.tracking.names import CHAMPION, DIGEST
from genline.tracking.reading import Reader, SeenRun, Version, versions_of

_URI = "models:/"  # as MLflow's pages write ``models:/digits-vae@champion``
_RUN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Found:
    """What a reference stands for: at least one of a version, a run and a folder."""

    version: Version | None = None
    run: SeenRun | None = None
    folder: Path | None = None


def is_folder(text: str) -> bool:
    """Whether a reference names a folder, there or not: it holds a model, or looks like a path."""
    if text.startswith(_URI):
        return False
    path = Path(text)
    return path.is_dir() or text.startswith((".", "/", "models/")) or text.count("/") > 1


def resolve_model(reader: Reader, text: str) -> Found:
    """The version or run that ``text`` names. A model's name alone is its champion.

    Raises ModelError with one line that offers the nearest names.
    """
    if _RUN.fullmatch(text):
        run = reader.run(text)
        if run is None:
            raise ModelError(f"no run '{text}' in MLflow; `make ui` lists the runs and their ids")
        versions = versions_of(reader, run.tags[DIGEST]) if DIGEST in run.tags else []
        return Found(versions[0] if versions else None, run)
    version = find_version(reader, text)
    return Found(version, reader.run(version.run_id) if version.run_id else None)


def find_version(reader: Reader, text: str) -> Version:
    """The registered version that ``text`` names, a model's name alone being its champion."""
    text = text.removeprefix(_URI)
    name, mark, which = text.partition("@") if "@" in text else text.partition("/")
    names = reader.names()
    if name not in names:
        raise ModelError(f"no registered model '{name}'; {nearest(name, names)}")
    versions = reader.versions(name)
    if mark == "/":
        found = [v for v in versions if v.number == which]
        known = ", ".join(f"{name}/{v.number}" for v in versions)
        if not found:
            raise ModelError(f"no version '{which}' of {name}; known: {known or 'none'}")
        return found[0]
    which = which or CHAMPION
    found = [v for v in versions if which in v.aliases]
    if not found:
        aliases = [alias for v in versions for alias in v.aliases]
        offered = nearest(which, aliases) if aliases else "it has no aliases"
        known = ", ".join(f"{name}/{v.number}" for v in versions)
        raise ModelError(f"no alias '{which}' of {name}; {offered} (versions: {known or 'none'})")
    return found[0]
