"""git asked a question; nothing here changes a branch, HEAD or the index."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from genline.core.errors import GenlineError

SECONDS = 20.0


class GitError(GenlineError):
    """git is not there, took too long, or refused: the first line of what it said."""


def ask(
    root: Path,
    *command: str,
    given: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> bytes:
    """What ``git <command>`` prints in ``root``. Raises GitError."""
    try:
        done = subprocess.run(
            ["git", *command],
            cwd=root,
            env={**os.environ, **(environment or {})},
            input=given,
            capture_output=True,
            timeout=seconds,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise GitError(f"git {command[0]}: {type(error).__name__}") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it failed"]
        raise GitError(f"git {command[0]}: {said[0]}")
    return done.stdout


def maybe(root: Path, *command: str) -> str | None:
    """What a command prints, without white space around it; None when it fails."""
    try:
        return ask(root, *command).decode(errors="replace").strip()
    except GitError:
        return None
