"""The books written without MLflow where they are a database file with tables that are known.

Importing MLflow and opening its store takes three seconds of a core; a training needs a few rows in
ten tables. They are written as MLflow 3 writes them, and tests hold the two against each other.
Tables of another version are left to MLflow's client.
"""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from genline.tracking.books import (
    KIND,
    NAME,
    PARAM_LENGTH,
    TAG_LENGTH,
    Books,
    Entry,
    Input,
    Point,
    Told,
)
from genline.tracking.database_file import BUSY_SECONDS
from genline.tracking.mlflow_books import MlflowBooks
from genline.tracking.store import ARTIFACTS, Store, connect, make_ready

_TABLES = ("dc11669786a5",)  # the revisions of MLflow's tables that are written here
_LATEST = """
INSERT INTO latest_metrics ("key", value, is_nan, timestamp, step, run_uuid)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT ("key", run_uuid) DO UPDATE SET
value = excluded.value, timestamp = excluded.timestamp, step = excluded.step,
is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)
"""


def open_books(store: Store) -> Books:
    """The quickest way into the books of ``store``, made ready. Raises TrackingError."""
    make_ready(store)
    if store.database is not None and _is_known(store.database):
        return SqliteBooks(store.database)
    return MlflowBooks(connect(store), store)


def _is_known(database: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return [row[0] for row in found] in [[revision] for revision in _TABLES]


class SqliteBooks:
    """Implements :class:`genline.tracking.books.Books`: each call is one transaction."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def known(self, name: str) -> str | None:
        found = self._ask(
            "SELECT experiment_id FROM experiments WHERE name = ? AND workspace = 'default'", name
        )
        return str(found[0][0]) if found else None

    def place(self, name: str) -> str:
        with self._writing() as rows:
            now = _now()
            made = rows.execute(
                "INSERT INTO experiments (name, workspace, artifact_location, lifecycle_stage, "
                "creation_time, last_update_time) VALUES (?, 'default', ?, 'active', ?, ?) "
                "ON CONFLICT DO NOTHING",
                (name, (self._database.parent / ARTIFACTS / name).as_uri(), now, now),
            )
            (place, stage), *_ = rows.execute(
                "SELECT experiment_id, lifecycle_stage FROM experiments "
                "WHERE name = ? AND workspace = 'default'",
                (name,),
            ).fetchall()
            if made.rowcount > 0:
                rows.executemany(
                    'INSERT INTO experiment_tags ("key", value, experiment_id) VALUES (?, ?, ?)',
                    [(key, value, place) for key, value in KIND.items()],
                )
            elif stage == "deleted":
                rows.execute(
                    "UPDATE experiments SET lifecycle_stage = 'active', last_update_time = ? "
                    "WHERE experiment_id = ?",
                    (now, place),
                )
                rows.execute(
                    "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL "
                    "WHERE experiment_id = ?",
                    (place,),
                )
        return str(place)

    def offer(self, place: str, key: str, value: str) -> None:
        held = 'SELECT 1 FROM experiment_tags WHERE experiment_id = ? AND "key" = ?'
        if self._ask(held, place, key):
            return
        with self._writing() as rows:
            rows.execute(
                'INSERT INTO experiment_tags ("key", value, experiment_id) VALUES (?, ?, ?) '
                "ON CONFLICT DO NOTHING",
                (key, value, place),
            )

    def runs(self, place: str, tags: Mapping[str, str]) -> list[Entry]:
        carries = (
            ' AND EXISTS (SELECT 1 FROM tags WHERE run_uuid = runs.run_uuid AND "key" = ? '
            "AND value = ?)"
        )
        found = self._ask(
            "SELECT run_uuid FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active'"
            + carries * len(tags)
            + " ORDER BY start_time DESC, run_uuid",
            place,
            *(part for pair in tags.items() for part in pair),
        )
        return [self.run(row[0]) for row in found]

    def run(self, run_id: str) -> Entry:
        with self._open() as rows:
            place, status, started = rows.execute(
                "SELECT experiment_id, status, start_time FROM runs WHERE run_uuid = ?", (run_id,)
            ).fetchone() or _gone(run_id)

            def pairs(table: str) -> dict[str, str]:
                asked = f'SELECT "key", value FROM {table} WHERE run_uuid = ?'
                return dict(rows.execute(asked, (run_id,)))

            metrics = rows.execute(
                'SELECT "key", value, is_nan FROM latest_metrics WHERE run_uuid = ?', (run_id,)
            )
            inputs = rows.execute(
                "SELECT datasets.name, datasets.digest FROM inputs JOIN datasets "
                "ON datasets.dataset_uuid = inputs.source_id WHERE inputs.source_type = 'DATASET' "
                "AND inputs.destination_type = 'RUN' AND inputs.destination_id = ?",
                (run_id,),
            )
            return Entry(
                run_id,
                str(place),
                status,
                started,
                pairs("tags"),
                pairs("params"),
                {key: math.nan if is_nan else value for key, value, is_nan in metrics},
                tuple((name, digest) for name, digest in inputs),
            )

    def begin(self, place: str, name: str, tags: Mapping[str, str]) -> Entry:
        run_id, now = uuid.uuid4().hex, _now()
        with self._writing() as rows:
            location = rows.execute(
                "SELECT artifact_location FROM experiments WHERE experiment_id = ?", (place,)
            ).fetchone()[0]
            rows.execute(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, "
                "user_id, status, start_time, source_version, lifecycle_stage, artifact_uri, "
                "experiment_id) VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, '', 'active', "
                "?, ?)",
                (
                    run_id,
                    name,
                    tags.get("mlflow.user", "unknown"),
                    now,
                    f"{location}/{run_id}/artifacts",
                    place,
                ),
            )
            _put_tags(rows, run_id, {**tags, NAME: name})
        return self.run(run_id)

    def set_status(self, run_id: str, status: str) -> None:
        with self._writing() as rows:
            rows.execute("UPDATE runs SET status = ? WHERE run_uuid = ?", (status, run_id))
            if status != "RUNNING":
                rows.execute("UPDATE runs SET end_time = ? WHERE run_uuid = ?", (_now(), run_id))

    def log(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        now = _now()
        figures = [(p.key, *_stored(p.value), now, p.step, run_id) for p in points]
        with self._writing() as rows:
            rows.executemany(
                'INSERT OR IGNORE INTO metrics ("key", value, is_nan, timestamp, step, run_uuid) '
                "VALUES (?, ?, ?, ?, ?, ?)",
                figures,
            )
            rows.executemany(_LATEST, figures)
            rows.executemany(
                'INSERT INTO params ("key", value, run_uuid) VALUES (?, ?, ?) '
                "ON CONFLICT DO NOTHING",
                [(key, value[:PARAM_LENGTH], run_id) for key, value in (params or {}).items()],
            )
            _put_tags(rows, run_id, tags or {})

    def history(self, run_id: str, key: str) -> list[Told]:
        found = self._ask(
            'SELECT step, value, is_nan, timestamp FROM metrics WHERE run_uuid = ? AND "key" = ? '
            "ORDER BY timestamp, step, value",
            run_id,
            key,
        )
        return [
            Told(step, math.nan if is_nan else value, when) for step, value, is_nan, when in found
        ]

    def put_input(self, run_id: str, data: Input) -> None:
        with self._writing() as rows:
            place = rows.execute(
                "SELECT experiment_id FROM runs WHERE run_uuid = ?", (run_id,)
            ).fetchone()[0]
            rows.execute(
                "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, "
                "dataset_source_type, dataset_source) VALUES (?, ?, ?, ?, 'code', ?) "
                "ON CONFLICT DO NOTHING",
                (
                    uuid.uuid4().hex,
                    place,
                    data.name,
                    data.digest,
                    json.dumps({"tags": {"path": data.path}}),
                ),
            )
            dataset = rows.execute(
                "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? "
                "AND digest = ?",
                (place, data.name, data.digest),
            ).fetchone()[0]
            edge = uuid.uuid4().hex
            made = rows.execute(
                "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, "
                "destination_id) VALUES (?, 'DATASET', ?, 'RUN', ?) ON CONFLICT DO NOTHING",
                (edge, dataset, run_id),
            )
            if made.rowcount > 0:
                rows.execute(
                    "INSERT INTO input_tags (input_uuid, name, value) "
                    "VALUES (?, 'mlflow.data.context', 'train')",
                    (edge,),
                )

    def put_files(self, run_id: str, folder: Path) -> None:
        uri = self._ask("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run_id)[0][0]
        parts = urlsplit(uri)
        if parts.scheme in ("", "file"):
            shutil.copytree(folder, unquote(parts.path), dirs_exist_ok=True)
            return
        store = Store(f"sqlite:///{self._database}", self._database)
        MlflowBooks(connect(store), store).put_files(run_id, folder)

    def _ask(self, query: str, *values: str) -> list[Any]:
        with self._open() as rows:
            return rows.execute(query, values).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(
            sqlite3.connect(self._database, timeout=BUSY_SECONDS, isolation_level=None)
        ) as rows:
            yield rows

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside, or nothing."""
        with self._open() as rows:
            rows.execute("BEGIN IMMEDIATE")
            yield rows
            rows.execute("COMMIT")


def _put_tags(rows: sqlite3.Connection, run_id: str, tags: Mapping[str, str]) -> None:
    rows.executemany(
        'INSERT INTO tags ("key", value, run_uuid) VALUES (?, ?, ?) '
        'ON CONFLICT ("key", run_uuid) DO UPDATE SET value = excluded.value',
        [(key, value[:TAG_LENGTH], run_id) for key, value in tags.items()],
    )
    if NAME in tags:
        rows.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (tags[NAME], run_id))


def _stored(value: float) -> tuple[float, bool]:
    """As the tables hold it: SQL has no NaN and no infinity."""
    if math.isnan(value):
        return 0.0, True
    return max(-sys.float_info.max, min(sys.float_info.max, value)), False


def _gone(run_id: str) -> Any:
    raise sqlite3.DatabaseError(f"no run {run_id}")


def _now() -> int:
    return int(time.time() * 1000)
