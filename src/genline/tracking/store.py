"""Where MLflow keeps its books, opened safely.

``MLFLOW_TRACKING_URI`` if it is set, else ``mlflow.db`` (SQLite) in the project's folder with its
artifacts in ``mlartifacts/`` beside it. Everything that can go wrong raises TrackingError with
one line, within seconds; a database that cannot be read is never touched.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from genline.core.errors import TrackingError
from genline.tracking import artifact_roots, database_file, servers
from genline.tracking.books import KIND
from genline.tracking.database_file import check_database as check_database
from genline.tracking.database_file import one_line as one_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"


@dataclass(frozen=True)
class Store:
    """A tracking URI; ``database`` is its file where it is SQLite, else None."""

    uri: str
    database: Path | None

    @property
    def artifacts(self) -> Path | None:
        """Where artifacts go: beside the SQLite file; None leaves it to the server."""
        return self.database.parent / ARTIFACTS if self.database else None

    @property
    def shown(self) -> str:
        """The URI without user name and password, nor escapes."""
        if self.database is not None:
            return f"sqlite:///{self.database}"
        return servers.without_credentials(self.uri)

    @property
    def advice(self) -> str:
        """What to do when it cannot be used, as the end of a sentence."""
        if self.database is not None:
            return database_file.advice(self.database)
        return "start it, or unset MLFLOW_TRACKING_URI to use the local mlflow.db"


def resolve(root: Path | None = None) -> Store:
    """The store that MLFLOW_TRACKING_URI names, or the project's own; touches nothing.

    Under ``dvc exp run --temp`` the stage runs in a throw-away copy and DVC_ROOT names the
    project, whose books are the ones to keep.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not uri:
        root = root or Path(os.environ.get("DVC_ROOT") or Path.cwd())
        return _local(root.resolve() / _DATABASE)
    named = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)(?:\?.*)?", uri)
    if named is not None and named[1] != ":memory:":
        return _local(Path(unquote(named[1])).resolve())
    return Store(uri, None)


def connect(store: Store) -> MlflowClient:
    """A client on ``store``, its database made ready on first use.

    Raises TrackingError with one line when MLFLOW_TRACKING_URI cannot be used, a server does not
    answer within seconds, or the database is damaged, of another MLflow version, locked or cannot
    be written.
    """
    if store.database is None:
        _probe(store)
        with servers.first_call(store.uri):
            return _client(store)
    make_ready(store)
    return _client(store)


def make_ready(store: Store) -> None:
    """See to it that the SQLite file is there, sound and writable, and its artifacts beside it.

    Imports MLflow only to make tables. Raises TrackingError as ``connect`` does.
    """
    database, artifacts = store.database, store.artifacts
    if database is None or artifacts is None:
        return
    database_file.refuse_folder(database)
    database_file.refuse_escapes(database)
    # Several processes that first touch a fresh database would break it for good.
    with database_file.held(database):
        if database_file.is_new(database):
            _create_database(database)
            return
        check_database(database)
        if not database_file.check_writable(database):
            _client(store)  # makes its tables among others' there
        for folder in artifact_roots.adopt(database, artifacts, database_file.BUSY_SECONDS):
            database_file.say(
                f"{database} came from another folder: its artifacts in {folder} are now those "
                f"in {artifacts}"
            )


def experiment_id(client: MlflowClient, store: Store, name: str) -> str:
    """The id of the MLflow experiment ``name``, made or taken out of the bin if need be."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # The default location would be the current directory's mlruns/.
        location = (store.artifacts / name).as_uri() if store.artifacts else None
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=KIND))
        except MlflowException:  # another process was quicker
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _local(database: Path) -> Store:
    path = str(database)
    if "?" in path or "%" in path:
        # The slashes as well: MLflow would make folders of the escaped path's parents.
        path = quote(path, safe="")
    return Store(f"sqlite:///{path}", database)


def _create_database(database: Path) -> None:
    """Make the tables under another name: one that is killed half-way leaves nothing in place."""
    draft = database.with_name(f"{database.name}.new")
    _remove(draft)
    try:
        _client(Store(_local(draft).uri, database))
        with closing(sqlite3.connect(draft)) as connection:
            # Readers and a writer then do not wait for each other; the setting stays in the file.
            connection.execute("PRAGMA journal_mode=WAL")
        draft.replace(database)
    except BaseException:
        _remove(draft)
        raise


def _remove(draft: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _client(store: Store) -> MlflowClient:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        from mlflow import MlflowClient

        # What goes wrong is raised, and said in one line.
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        client = MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
        client.search_experiments(max_results=1)  # opens it, and makes its tables
        return client
    except Exception as error:  # SQLAlchemy's, Alembic's, requests' and MLflow's own
        reason = one_line(error)
        if "Max retries exceeded" in str(error):
            reason = "it takes connections but its interface does not answer"
        if "out-of-date database schema" in reason:
            uri = store.uri if store.database is not None else store.shown
            reason = (
                "it was written by another version of MLflow; back it up, then run "
                f"`mlflow db upgrade '{uri}'`"
            )
        raise TrackingError(
            f"MLflow at {store.shown} cannot be used ({reason}); "
            f"nothing was changed: {store.advice}"
        ) from None


def _probe(store: Store) -> None:
    servers.check(store.uri)
    try:
        servers.probe(store.uri)
    except (OSError, ValueError, HTTPException) as error:
        reason = one_line(getattr(error, "reason", error))
        raise TrackingError(
            f"MLflow at {store.shown} does not answer ({reason}): {store.advice}"
        ) from None
