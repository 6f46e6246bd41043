"""What MLflow's registry holds now, for a quick look at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from genline.tracking.names import DIGEST
from genline.tracking.reading import Version, open_reader
from genline.tracking.store import resolve

Alias = tuple[str, str]  # registered model, alias
Model = tuple[str, str]  # registered model, digest of the weights


class Held(NamedTuple):
    digest: str  # of the weights
    version: str


def held(aliases: Iterable[Alias]) -> dict[Alias, Held]:
    """The model behind each of ``aliases``; those the registry lacks are left out.

    Creates nothing. Raises TrackingError with one line when MLflow cannot be asked.
    """
    wanted = list(aliases)
    versions = _versions(name for name, _ in wanted)
    return {
        (name, alias): Held(version.tags[DIGEST], version.number)
        for name, alias in wanted
        for version in versions[name]
        if alias in version.aliases and DIGEST in version.tags
    }


def carried(models: Iterable[Model]) -> dict[Model, Mapping[str, str]]:
    """The tags of the versions that hold ``models``; those the registry lacks are left out.

    Creates nothing. Raises TrackingError with one line when MLflow cannot be asked.
    """
    wanted = list(models)
    versions = _versions(name for name, _ in wanted)
    tags = {(name, v.tags.get(DIGEST, "")): v.tags for name, vs in versions.items() for v in vs}
    return {model: tags[model] for model in wanted if model in tags}


def _versions(names: Iterable[str]) -> dict[str, list[Version]]:
    store = resolve()
    if store.database is not None and not store.database.exists():
        return {name: [] for name in names}
    reader = open_reader(store)
    return {name: reader.versions(name) for name in set(names)}
