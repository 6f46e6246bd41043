"""Where a database says its artifacts are, after the project's folder was moved or copied.

MLflow writes absolute locations into its tables. Left alone, a copied project's runs would write
into the original's ``mlartifacts/``, and a moved one's artifacts could not be found.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from genline.core.errors import TrackingError

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
    ("trace_tags", "value"),
)


def adopt(database: Path, artifacts: Path, seconds: float) -> list[str]:
    """Point all that lay in another folder's ``mlartifacts`` at ``artifacts``; all or nothing.

    Returns the folders left behind. A place that is still there and has no books beside it was
    somebody's choice, and stays. Raises sqlite3.Error, after ``seconds`` where another program
    holds the database, and TrackingError with one line when the books were copied alone.
    """
    with closing(sqlite3.connect(database, timeout=seconds, isolation_level=None)) as connection:
        roots = [r for r in _roots(connection) if _left_behind(r, database, artifacts)]
        if not roots:
            return []
        connection.execute("BEGIN IMMEDIATE")
        for root in roots:
            _move(connection, f"{root}/", f"{artifacts.as_uri()}/")
        connection.execute("COMMIT")
    return [str(_path(root)) for root in roots]


def _roots(connection: sqlite3.Connection) -> list[str]:
    """The different ``file://…/mlartifacts`` that experiments lie in."""
    if not _has(connection, "experiments", "artifact_location"):
        return []
    found = connection.execute("SELECT DISTINCT artifact_location FROM experiments")
    parents = {str(location).rstrip("/").rpartition("/")[0] for (location,) in found}
    return sorted(p for p in parents if p.startswith("file:/") and p.endswith("/mlartifacts"))


def _left_behind(root: str, database: Path, artifacts: Path) -> bool:
    place = _path(root)
    if place == artifacts or not place.exists():
        return place != artifacts
    if artifacts.exists() and place.samefile(artifacts):
        return False
    if not (place.parent / database.name).exists():
        return False
    if not artifacts.exists() and any(place.iterdir()):
        raise TrackingError(
            f"{database} is a copy, and its artifacts are in {place}; copy that folder to "
            f"{artifacts} as well, or move {database.name} away to begin anew"
        )
    return True


def _move(connection: sqlite3.Connection, old: str, new: str) -> None:
    for table, column in _COLUMNS:
        if _has(connection, table, column):
            connection.execute(
                f'UPDATE "{table}" SET "{column}" = ? || substr("{column}", ?) '
                f'WHERE substr("{column}", 1, ?) = ?',
                (new, len(old) + 1, len(old), old),
            )


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    # Other versions of MLflow have other tables; what it makes of that is said by MLflow.
    return column in {row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')}


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
