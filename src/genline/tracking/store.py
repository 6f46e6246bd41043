"""Where MLflow keeps its books, opened safely.

``MLFLOW_TRACKING_URI`` if it is set, else ``mlflow.db`` (SQLite) in the project's folder with its
artifacts in ``mlartifacts/`` beside it. Everything that can go wrong raises TrackingError with
one line, within seconds; a database that cannot be read is never touched.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from genline.core.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROBE_SECONDS = 4.0
LOCK_SECONDS = 60.0  # the first use creates some fifty tables, which takes seconds
_DATABASE = "mlflow.db"
_ARTIFACTS = "mlartifacts"
_KIND = {"mlflow.experimentKind": "custom_model_development"}  # or its pages open in GenAI mode


@dataclass(frozen=True)
class Store:
    """A tracking URI; ``database`` is its file where it is SQLite, else None."""

    uri: str
    database: Path | None

    @property
    def artifacts(self) -> Path | None:
        """Where artifacts go: beside the SQLite file; None leaves it to the server."""
        return self.database.parent / _ARTIFACTS if self.database else None

    @property
    def shown(self) -> str:
        """The URI without user name and password."""
        parts = urlsplit(self.uri)
        if "@" not in parts.netloc:
            return self.uri
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def advice(self) -> str:
        """What to do when it cannot be used, as the end of a sentence."""
        if self.database is not None:
            return _advice(self.database)
        return "start it, or unset MLFLOW_TRACKING_URI to use the local mlflow.db"


def resolve(root: Path | None = None) -> Store:
    """The store that MLFLOW_TRACKING_URI names, or the project's own; touches nothing.

    Under ``dvc exp run --temp`` the stage runs in a throw-away copy and DVC_ROOT names the
    project, whose books are the ones to keep.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not uri:
        root = root or Path(os.environ.get("DVC_ROOT") or Path.cwd())
        database = root.resolve() / _DATABASE
        return Store(f"sqlite:///{database}", database)
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///").split("?")[0]).resolve()
        return Store(f"sqlite:///{database}", database)
    return Store(uri, None)


def connect(store: Store) -> MlflowClient:
    """A client on ``store``, its database made ready on first use.

    Raises TrackingError with one line when a server does not answer within seconds, or the
    database is damaged, of another MLflow version or cannot be written.
    """
    if store.database is None:
        _probe(store)
        return _client(store)
    from filelock import FileLock, Timeout

    try:
        store.database.parent.mkdir(parents=True, exist_ok=True)
        # Several processes that first touch a fresh database would break it for good.
        with FileLock(f"{store.database}.lock", timeout=LOCK_SECONDS):
            if store.database.exists():
                check_database(store.database)
            else:
                _create_database(store.database)
            return _client(store)
    except Timeout:
        raise TrackingError(
            f"MLflow's database {store.database} is held by another process; wait for it to end"
        ) from None
    except (OSError, sqlite3.Error) as error:
        raise _unusable(store.database, error) from None


def experiment_id(client: MlflowClient, store: Store, name: str) -> str:
    """The id of the MLflow experiment ``name``, made or taken out of the bin if need be."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # The default location would be the current directory's mlruns/.
        location = (store.artifacts / name).as_uri() if store.artifacts else None
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=_KIND))
        except MlflowException:  # another process was quicker
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def one_line(error: object) -> str:
    """The first line of an error, short enough for a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def check_database(database: Path) -> None:
    """Raises TrackingError when the file cannot be read as a database; an empty one is fine."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise _unusable(database, error) from None


def _create_database(database: Path) -> None:
    """Make the tables under another name: one that is killed half-way leaves nothing in place."""
    draft = database.with_name(f"{database.name}.new")
    for left_over in database.parent.glob(f"{draft.name}*"):
        left_over.unlink()
    _client(Store(f"sqlite:///{draft}", database))
    with closing(sqlite3.connect(draft)) as connection:
        # Readers and a writer then do not wait for each other; the setting stays in the file.
        connection.execute("PRAGMA journal_mode=WAL")
    draft.replace(database)


def _unusable(database: Path, error: Exception) -> TrackingError:
    return TrackingError(
        f"MLflow's database {database} cannot be used ({one_line(error)}); nothing was changed: "
        f"{_advice(database)}"
    )


def _advice(database: Path) -> str:
    return f"see to the disk's space and rights or, if it is damaged, move {database.name} away"


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
        if "out-of-date database schema" in reason:
            reason = (
                "it was written by another version of MLflow; back it up, then run "
                f"`mlflow db upgrade {store.shown}`"
            )
        raise TrackingError(
            f"MLflow at {store.shown} cannot be used ({reason}); "
            f"nothing was changed: {store.advice}"
        ) from None


def _probe(store: Store) -> None:
    # MLflow itself would retry for minutes.
    parts = urlsplit(store.uri)
    try:
        if parts.scheme in ("http", "https"):
            url = f"{store.uri.rstrip('/')}/health"
            with urllib.request.urlopen(url, timeout=PROBE_SECONDS):
                return
        elif parts.hostname and parts.port:
            with socket.create_connection((parts.hostname, parts.port), timeout=PROBE_SECONDS):
                return
    except urllib.error.HTTPError:
        return  # it answers; whether it lets us in is MLflow's business
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise TrackingError(
            f"MLflow at {store.shown} does not answer ({one_line(reason)}): {store.advice}"
        ) from None
