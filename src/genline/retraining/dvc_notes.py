"""DVC's notes on who reads and writes what, mended where a kill has cut them short.

DVC writes ``.dvc/tmp/rwlock`` in place. Killed in that very moment it leaves an empty or
half-written file, and from then on refuses every command until somebody deletes it.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

NOTES = Path(".dvc/tmp/rwlock")


def mend() -> bool:
    """Delete the notes if they cannot be read and no DVC is writing them; whether it did.

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
            json.loads(NOTES.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except ValueError:
            NOTES.unlink()
            return True
    return False
