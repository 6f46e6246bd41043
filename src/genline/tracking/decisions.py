"""What people did with the registry: an append-only record, one JSON object a line.

``reports/decisions.jsonl`` is written by people through ``genline promote`` and ``genline
rollback`` and by no stage, so it may hold dates and names; committed, it tells every clone.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genline.core.errors import DataError
from genline.tracking import git

FILE = Path("reports/decisions.jsonl")
_KEYS = {"experiment", "action", "model", "previous", "seen", "who", "when", "reason"}


def read_decisions(path: Path = FILE) -> list[dict[str, Any]]:
    """All lines, the oldest first. Raises DataError naming the first that is none."""
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            decision = json.loads(line)
            missing = _KEYS - set(decision)
        except (ValueError, TypeError):
            raise DataError(f"{path}, line {number}: not a JSON object; take it out") from None
        if missing:
            raise DataError(f"{path}, line {number}: no '{min(missing)}'; take the line out")
        found.append(decision)
    return found


def last_of(experiment: str, path: Path = FILE) -> dict[str, Any] | None:
    """The latest decision on an experiment."""
    found = [d for d in read_decisions(path) if d["experiment"] == experiment]
    return found[-1] if found else None


def append(decision: Mapping[str, Any], path: Path = FILE) -> None:
    """Add a line, unless it stands there: one write, so that a reader sees all of it or none."""
    if dict(decision) in read_decisions(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(decision, sort_keys=True, ensure_ascii=False) + "\n"
    if path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n"):
        line = f"\n{line}"  # an editor left the last line open
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def who() -> str:
    """Git's name and address of this person, else the name they are logged in with."""
    known = [git.maybe(Path.cwd(), "config", "--get", f"user.{key}") for key in ("name", "email")]
    if known[0]:
        return f"{known[0]} <{known[1]}>" if known[1] else known[0]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
