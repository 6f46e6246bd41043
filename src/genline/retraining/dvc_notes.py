"""DVC's notes on who reads and writes what, mended where a kill has cut them short.

DVC writes ``.dvc/tmp/rwlock`` in place. Killed in that very moment it leaves an empty or
half-written file, and from then on refuses every command until somebody deletes it. Killed at
another moment it leaves its own entries, which the next DVC drops only if no process has the
number: one that has ended and was not waited for still has it, for ever in a container whose
first process waits for nobody, and so has any other process that was given it since.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from genline.core.files import write_text

NOTES = Path(".dvc/tmp/rwlock")
_CLOCKS = 1.0  # seconds by which the clocks of files and of processes may differ


def mend() -> bool:
    """Take out of the notes what nobody stands behind, if no DVC is writing them; whether it did.

    What cannot be read says nothing of anybody, so nothing is lost.
    """
    if not NOTES.is_file():
        return False
    with NOTES.with_name("rwlock.lock").open("a") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # a DVC is at work on them
        try:
            written = NOTES.stat().st_mtime
            found = {"write": {}, "read": {}, **json.loads(NOTES.read_text(encoding="utf-8"))}
            living = _living(found, written)
        except FileNotFoundError:
            return False
        except (ValueError, TypeError, KeyError, AttributeError):
            NOTES.unlink()
            return True
        if living == found:
            return False
        write_text(NOTES, json.dumps(living))
        return True


def _living(notes: dict[str, Any], written: float) -> dict[str, Any]:
    """The entries of processes that may have written them by the time ``written``."""
    writers = {
        path: entry
        for path, entry in notes["write"].items()
        if _stands_behind(int(entry["pid"]), written)
    }
    readers = {
        path: left
        for path, entries in notes["read"].items()
        if (left := [entry for entry in entries if _stands_behind(int(entry["pid"]), written)])
    }
    return {"write": writers, "read": readers}


def _stands_behind(number: int, written: float) -> bool:
    try:
        process = psutil.Process(number)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and bool(process.create_time() <= written + _CLOCKS)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # another user's: not ours to judge
