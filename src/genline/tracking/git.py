"""git asked as a program: it asks nobody, is given up in time, and tells no password."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from genline.core.errors import GenlineError
from genline.tracking.servers import without_credentials

SECONDS = 20.0
_UNASKED = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


class GitError(GenlineError):
    """git is not there, took too long, or refused: the line of what it said that says most."""


def run(
    root: Path,
    *command: str,
    given: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> subprocess.CompletedProcess[bytes]:
    """``git <command>`` in ``root``, whatever its status. Raises GitError where it did not end."""
    try:
        return subprocess.run(
            ["git", "-c", "core.quotePath=false", *command],
            cwd=root,
            env={**os.environ, **(environment or {}), **_UNASKED},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed; install it") from None
    except subprocess.TimeoutExpired:
        raise GitError(
            f"`git {command[0]}` did not end within {seconds:.0f} s; see to the remote"
        ) from None
    except OSError as error:
        raise GitError(f"git {command[0]}: {error.strerror}") from None


def ask(
    root: Path,
    *command: str,
    given: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> bytes:
    """What ``git <command>`` prints in ``root``. Raises GitError where it fails as well."""
    done = run(root, *command, given=given, environment=environment, seconds=seconds)
    if done.returncode != 0:
        raise GitError(f"git {command[0]}: {reason(done.stderr)}")
    return done.stdout


def maybe(root: Path, *command: str) -> str | None:
    """What a command prints, without white space around it; None when it fails."""
    try:
        return ask(root, *command).decode(errors="replace").strip()
    except GitError:
        return None


def reason(said: bytes) -> str:
    """The line of an error that says most."""
    text = without_credentials(said.decode(errors="replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("fatal: ", "remote: ", "error: "):
        for line in lines:
            if line.startswith(mark):
                return line.removeprefix(mark)[:200]
    return (lines or ["it failed"])[0][:200]
