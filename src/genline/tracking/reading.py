"""MLflow read without MLflow where its books are a database: importing it takes seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from genline.core.errors import TrackingError
from genline.tracking.names import DIGEST
from genline.tracking.store import Store, check_database, connect, one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun


@dataclass(frozen=True)
class Version:
    name: str
    number: str
    run_id: str | None
    tags: Mapping[str, str]
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class SeenRun:
    run_id: str
    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    artifacts: str  # URI


class Reader(Protocol):
    """What is asked of MLflow's books; nothing in them is ever changed."""

    def names(self) -> list[str]:
        """The registered models."""

    def versions(self, name: str) -> list[Version]:
        """All versions of a model, the oldest first."""

    def run(self, run_id: str) -> SeenRun | None: ...

    def runs_of(self, digest: str) -> list[SeenRun]:
        """The runs that gave the weights with this digest, the latest first."""

    def artifact(self, run: SeenRun, path: str) -> bytes | None:
        """A small artifact's content; None where the run has none of that name."""


def open_reader(store: Store) -> Reader:
    """Raises TrackingError with one line when there are no books, or they cannot be read."""
    if store.database is None:
        return _Client(connect(store), store)
    if not store.database.exists():
        raise TrackingError(
            f"no MLflow database {store.database} yet: `genline sync` makes it from the files"
        )
    check_database(store.database)
    return _Database(store.database)


def versions_of(reader: Reader, digest: str) -> list[Version]:
    """The registered versions that hold the weights with this digest."""
    found = [v for name in reader.names() for v in reader.versions(name)]
    return [v for v in found if v.tags.get(DIGEST) == digest]


class _Database:
    """Of the tables that MLflow 3 lays out; a test holds this against MLflow's own answers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        return [row[0] for row in self._ask("SELECT name FROM registered_models ORDER BY name")]

    def versions(self, name: str) -> list[Version]:
        rows = self._ask(
            "SELECT version, run_id FROM model_versions WHERE name = ? "
            "AND current_stage != 'Deleted_Internal' ORDER BY version",
            name,
        )
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._ask(
            'SELECT version, "key", value FROM model_version_tags WHERE name = ?', name
        ):
            tags.setdefault(version, {})[key] = value
        aliases = self._ask(
            "SELECT alias, version FROM registered_model_aliases WHERE name = ? ORDER BY alias",
            name,
        )
        return [
            Version(
                name,
                str(number),
                run_id,
                tags.get(number, {}),
                tuple(alias for alias, version in aliases if version == number),
            )
            for number, run_id in rows
        ]

    def run(self, run_id: str) -> SeenRun | None:
        rows = self._ask(
            "SELECT run_uuid, name, status, artifact_uri FROM runs WHERE run_uuid = ?", run_id
        )
        return self._seen(rows[0]) if rows else None

    def runs_of(self, digest: str) -> list[SeenRun]:
        rows = self._ask(
            "SELECT runs.run_uuid, runs.name, status, artifact_uri FROM runs JOIN tags "
            'ON tags.run_uuid = runs.run_uuid WHERE tags."key" = ? AND tags.value = ? '
            "AND lifecycle_stage = 'active' ORDER BY start_time DESC",
            DIGEST,
            digest,
        )
        return [self._seen(row) for row in rows]

    def artifact(self, run: SeenRun, path: str) -> bytes | None:
        parts = urlsplit(run.artifacts)
        if parts.scheme in ("", "file"):
            file = Path(unquote(parts.path)) / path
            return file.read_bytes() if file.is_file() else None
        store = Store(f"sqlite:///{self.path}", self.path)
        return _Client(connect(store), store).artifact(run, path)

    def _seen(self, row: Any) -> SeenRun:
        run_id, name, status, artifacts = row
        tags = self._ask('SELECT "key", value FROM tags WHERE run_uuid = ?', run_id)
        params = self._ask('SELECT "key", value FROM params WHERE run_uuid = ?', run_id)
        return SeenRun(run_id, name or "", status, dict(tags), dict(params), artifacts or "")

    def _ask(self, query: str, *values: str) -> list[Any]:
        try:
            uri = f"{self.path.as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise TrackingError(
                f"MLflow's database {self.path} cannot be read ({one_line(error)}); nothing was "
                f"changed: see `mlflow db upgrade sqlite:///{self.path}`"
            ) from None


class _Client:
    def __init__(self, client: MlflowClient, store: Store) -> None:
        self.client, self.store = client, store

    def names(self) -> list[str]:
        return sorted(m.name for m in self._do(lambda c: c.search_registered_models()))

    def versions(self, name: str) -> list[Version]:
        found = self._do(lambda c: c.search_model_versions(f"name = '{name}'", max_results=10_000))
        if not found:
            return []
        aliases = self._do(lambda c: c.get_registered_model(name)).aliases
        return [
            Version(
                name,
                str(v.version),
                v.run_id,
                dict(v.tags),
                tuple(sorted(a for a, number in aliases.items() if str(number) == str(v.version))),
            )
            for v in sorted(found, key=lambda v: int(v.version))
        ]

    def run(self, run_id: str) -> SeenRun | None:
        from mlflow.exceptions import MlflowException

        def get(client: MlflowClient) -> SeenRun | None:
            try:
                return _seen(client.get_run(run_id))
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

        found: SeenRun | None = self._do(get)
        return found

    def runs_of(self, digest: str) -> list[SeenRun]:
        places = [e.experiment_id for e in self._do(lambda c: c.search_experiments())]
        wanted, order = f"tags.`{DIGEST}` = '{digest}'", ["attributes.start_time DESC"]
        return [_seen(r) for r in self._do(lambda c: c.search_runs(places, wanted, order_by=order))]

    def artifact(self, run: SeenRun, path: str) -> bytes | None:
        import tempfile

        with suppress(Exception), tempfile.TemporaryDirectory() as folder:
            return Path(self.client.download_artifacts(run.run_id, path, folder)).read_bytes()
        return None

    def _do(self, ask: Any) -> Any:
        try:
            return ask(self.client)
        except Exception as error:  # MLflow's own, requests'
            raise TrackingError(
                f"MLflow at {self.store.shown} refused ({one_line(error)})"
            ) from None


def _seen(run: MlflowRun) -> SeenRun:
    info, data = run.info, run.data
    return SeenRun(
        info.run_id,
        info.run_name or "",
        info.status,
        dict(data.tags),
        dict(data.params),
        info.artifact_uri,
    )
