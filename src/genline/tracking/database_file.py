"""MLflow's SQLite file: is it sound, ours to write, free; never touched where it is not."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from genline.core.errors import TrackingError
from genline.tracking.servers import without_credentials

LOCK_SECONDS = 60.0  # the first use creates some fifty tables, which takes seconds
BUSY_SECONDS = 5.0  # a write takes milliseconds
_NOTICE_SECONDS = 10.0  # after these it is said what is waited for
_LOCKED = "database is locked"


def check_database(database: Path) -> None:
    """Raises TrackingError when the file cannot be read as a database; an empty one is fine."""
    refuse_folder(database)
    try:
        uri = f"{database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise _unusable(database, error) from None


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the lock beside the database, against other processes of genline."""
    from filelock import FileLock, Timeout

    path = database.with_name(f"{database.name}.lock")
    lock = FileLock(path)
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):  # without the right to, FileLock would wait in silence
            pass
        try:
            lock.acquire(timeout=_NOTICE_SECONDS)
        except Timeout:
            say(f"waiting up to {LOCK_SECONDS:.0f} s for another process to release {path}")
            lock.acquire(timeout=LOCK_SECONDS - _NOTICE_SECONDS)
        try:
            yield
        finally:
            lock.release()
    except Timeout:
        raise TrackingError(
            f"MLflow's database {database} is held by another process; wait for it to end"
        ) from None
    except (OSError, sqlite3.Error) as error:
        raise _unusable(database, error) from None


def is_new(database: Path) -> bool:
    """Whether there is no file, or an empty one without a journal that could fill it."""
    try:
        if database.stat().st_size:
            return False
    except FileNotFoundError:
        return True
    for journal in ("-wal", "-journal"):
        beside = database.with_name(database.name + journal)
        if beside.exists() and beside.stat().st_size:
            return False
    say(f"{database} is empty, 0 bytes: there is no history in it, and a new one begins")
    return True


def check_writable(database: Path) -> bool:
    """Whether MLflow's tables are there; raises sqlite3.Error when nothing can be written."""
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # MLflow would try for half a minute
        connection.rollback()
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'")
        return found.fetchone() is not None


def refuse_folder(database: Path) -> None:
    if database.is_dir():
        raise TrackingError(
            f"MLflow's database {database} is a folder; name a file in it, as in "
            f"MLFLOW_TRACKING_URI=sqlite:///{database / 'mlflow.db'}"
        )


def refuse_escapes(database: Path) -> None:
    escape = re.search(r"%[0-9A-Fa-f]{2}", str(database))
    if escape is not None:
        raise TrackingError(
            f"MLflow takes '{escape[0]}' in the path {database} for a character and does not find "
            "its models again; rename that folder without '%'"
        )


def _unusable(database: Path, error: Exception) -> TrackingError:
    if _LOCKED in str(error):
        return TrackingError(
            f"MLflow's database {database} is locked by another program, for more than "
            f"{BUSY_SECONDS:.0f} s; nothing was changed: close that program, then run again"
        )
    return TrackingError(
        f"MLflow's database {database} cannot be used ({one_line(error)}); nothing was changed: "
        f"{advice(database)}"
    )


def advice(database: Path) -> str:
    return f"see to the disk's space and rights or, if it is damaged, move {database.name} away"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def one_line(error: object) -> str:
    """The first line of an error that tells something, short enough for a sentence."""
    if _LOCKED in str(error):
        return "the database is locked by another program: close that, then run again"
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("(raised as a result of")]
    text = without_credentials(lines[0]) if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
