"""What MLflow's registry holds now, for a quick look at the end of a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from typing import NamedTuple

from genline.core.errors import TrackingError
from genline.tracking.names import DIGEST
from genline.tracking.reading import open_reader
from genline.tracking.registry import by_alias
from genline.tracking.store import Store, check_database, connect, one_line, resolve

Alias = tuple[str, str]  # registered model, alias
Model = tuple[str, str]  # registered model, digest of the weights
_QUERY = """
SELECT tag.value, alias.version
FROM registered_model_aliases AS alias JOIN model_version_tags AS tag
  ON tag.name = alias.name AND tag.version = alias.version
WHERE alias.name = ? AND alias.alias = ? AND tag."key" = ?
"""


class Held(NamedTuple):
    digest: str  # of the weights
    version: str


def held(aliases: Iterable[Alias]) -> dict[Alias, Held]:
    """The model behind each of ``aliases``; those the registry lacks are left out.

    Creates nothing. Raises TrackingError with one line when MLflow cannot be asked.
    """
    store, wanted = resolve(), list(aliases)
    if store.database is not None:
        if not store.database.exists():
            return {}
        check_database(store.database)
        # Importing MLflow takes seconds. Tables it has laid out anew are its own to read.
        with suppress(sqlite3.Error):
            return _of_database(store, wanted)
    try:
        client = connect(store)
        found = {(name, alias): by_alias(client, name, alias) for name, alias in wanted}
    except TrackingError:
        raise
    except Exception as error:  # MLflow's own, requests'
        raise TrackingError(f"MLflow at {store.shown} refused ({one_line(error)})") from error
    return {
        key: Held(v.tags[DIGEST], str(v.version))
        for key, v in found.items()
        if v is not None and DIGEST in v.tags
    }


def carried(models: Iterable[Model]) -> dict[Model, Mapping[str, str]]:
    """The tags of the versions that hold ``models``; those the registry lacks are left out.

    Creates nothing. Raises TrackingError with one line when MLflow cannot be asked.
    """
    store, wanted = resolve(), list(models)
    if store.database is not None and not store.database.exists():
        return {}
    reader = open_reader(store)
    try:
        found = {name: reader.versions(name) for name in {name for name, _ in wanted}}
    except TrackingError:
        raise
    except Exception as error:  # MLflow's own, requests'
        raise TrackingError(f"MLflow at {store.shown} refused ({one_line(error)})") from error
    held = {(name, v.tags.get(DIGEST, "")): v.tags for name, vs in found.items() for v in vs}
    return {model: held[model] for model in wanted if model in held}


def _of_database(store: Store, aliases: Iterable[Alias]) -> dict[Alias, Held]:
    assert store.database is not None
    uri = f"{store.database.as_uri()}?mode=ro"
    found: dict[Alias, Held] = {}
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
        for name, alias in aliases:
            row = connection.execute(_QUERY, (name, alias, DIGEST)).fetchone()
            if row is not None:
                found[name, alias] = Held(row[0], str(row[1]))
    return found
