"""DVC as a program: what is out of date and why, and the steps that it does for us."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from genline.retraining.errors import RetrainError
from genline.retraining.requests import TOKENS
from genline.tracking.servers import without_credentials

LOCK_FILE = Path("dvc.lock")
# Read by the stage that registers: a better model waits as challenger, and its alias stays.
HOLD = "GENLINE_HOLD_PROMOTION"
_STAGE = re.compile(r"Running stage '([^']+)'")
# DVC reads no other lock than the one in its place. Given one on its input it is told that it read
# that; nothing is written, so a kill leaves nothing behind.
_STATUS_OF = """
import sys, yaml
from dvc.cli import main
from dvc.dvcfile import ProjectFile
ProjectFile.lockfile_contents = yaml.safe_load(sys.stdin.buffer) or {}
sys.exit(main(["status", "--json"]))
"""
_SAID = re.compile(r"genline [a-z-]+: ")


def read_lock(content: bytes | None, where: str = str(LOCK_FILE)) -> dict[str, Any]:
    """The stages of a ``dvc.lock``. Raises RetrainError when it holds a merge conflict."""
    text = (content or b"").decode(errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")):
            raise RetrainError(
                f"{where}, line {number}: a merge conflict; take either side whole "
                "(`git checkout --theirs dvc.lock`), commit it, and run again: what is then out "
                "of date is made anew"
            )
    try:
        stages = (yaml.load(text, _Loader) or {}).get("stages") or {}
    except (yaml.YAMLError, AttributeError):
        raise RetrainError(f"{where}: not a lock file of DVC; restore it from git") from None
    return dict(stages)


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def out_of_date(lock: bytes, instead: bool = False) -> dict[str, list[str]]:
    """The stages that something has changed for, with what: the first causes alone.

    lock: the content of ``dvc.lock``, or ``instead`` of another lock, which is compared with the
    inputs alone. An output that was changed by hand is a cause. Outputs that are only absent, as in
    a fresh clone, are none: they are pulled. What a stage reads from another one is none either:
    the other one is then out of date itself.
    """
    stages = read_lock(lock)
    told = _ask_python(_STATUS_OF, lock) if instead else _ask("status", "--json")
    found: dict[str, Any] = json.loads(told or "{}")
    made = {out["path"] for stage in stages.values() for out in stage.get("outs", [])}
    for entries in found.values():  # and of stages that never ran
        made |= {p for e in entries if isinstance(e, dict) for p in e.get("changed outs", {})}
    causes = {name: _causes(entries, made, not instead) for name, entries in found.items()}
    return {name: why for name, why in causes.items() if why}


def _causes(entries: Iterable[Any], made: set[str], outputs: bool) -> list[str]:
    why: list[str] = []
    for entry in entries:
        if not isinstance(entry, dict):  # "changed command", "always changed"
            why.append(str(entry))
            continue
        for path, state in entry.get("changed deps", {}).items():
            if isinstance(state, dict):  # of params.yaml: key by key
                why += [f"{key} {_state(how)}" for key, how in state.items()]
            elif not _made(path, made):
                # DVC tells the whole path of what lies outside the project.
                shown = os.path.relpath(path) if Path(path).is_absolute() else path
                why.append(f"{shown} {_state(state)}")
        for path, state in entry.get("changed outs", {}).items():
            if outputs and state not in ("deleted", "not in cache"):
                why.append(f"{path} {_state(state)}")
    return why


def _made(path: str, made: set[str]) -> bool:
    """Whether a path is, holds or lies in what a stage makes."""
    return any(path == m or m.startswith(f"{path}/") or path.startswith(f"{m}/") for m in made)


def _state(state: Any) -> str:
    return {"modified": "changed", "deleted": "is gone"}.get(str(state), str(state))


def cache_folder() -> Path:
    """Where DVC keeps the contents of outputs."""
    return Path(_ask("cache", "dir").strip())


def has_remote() -> bool:
    return bool(_ask("remote", "list").strip())


def pull() -> None:
    """Bring what the remote has of the outputs, and of earlier runs' results."""
    _remote("pull", "--quiet", "--run-cache", "--allow-missing", "--force")


def push() -> None:
    """Send all outputs and runs' results to the remote."""
    _remote("push", "--quiet", "--run-cache")


def repro(targets: Sequence[str] = (), keep_open: Sequence[int] = ()) -> list[str]:
    """Run what is out of date, showing what it prints; the stages that ran.

    keep_open: file descriptors that DVC holds for as long as it lives. Raises RetrainError with
    the line of the stage that stopped.
    """
    ran: list[str] = []
    said: list[str] = []
    process = subprocess.Popen(
        [*_dvc(), "repro", *targets],
        env=_environment() | {HOLD: "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=keep_open,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            ran += _STAGE.findall(line)
            said += [line.strip()] if _SAID.match(line) or line.startswith("ERROR") else []
        status = process.wait()
    except BaseException:
        process.terminate()
        raise
    if status != 0:
        stage = ran[-1] if ran else "dvc repro"
        raise RetrainError(f"{stage} stopped the line: {said[0] if said else 'see above'}")
    return ran


def _remote(*command: str) -> None:
    done = subprocess.run(
        [*_dvc(), *command], env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    raise RetrainError(
        f"`dvc {command[0]}` failed ({_error(done)}); see that the DVC remote is there and that "
        "you may use it"
    )


def _ask(*command: str) -> str:
    done = subprocess.run(
        [*_dvc(), *command], env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RetrainError(f"`dvc {command[0]}`: {_error(done)}")
    return done.stdout


def _ask_python(code: str, given: bytes) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=_environment(),
        input=given.decode(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RetrainError(f"`dvc status`: {_error(done)}")
    return done.stdout


def _error(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    told = [line.partition("ERROR:")[2].strip() for line in lines if "ERROR:" in line]
    return without_credentials((told or lines or ["it said nothing"])[0])[:300]


def _dvc() -> list[str]:
    # As a module: a shell would stand between, and PATH may name another DVC.
    return [sys.executable, "-m", "dvc"]


def _environment() -> dict[str, str]:
    """With this environment's commands first, for the stages are plain ``genline …``.

    Without the forge's token, which no stage needs.
    """
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    kept = {key: value for key, value in os.environ.items() if key not in TOKENS}
    return {**kept, "PATH": f"{folder}{os.pathsep}{path}", "DVC_NO_ANALYTICS": "true"}
