"""Temporary clones of this project with budgets so small that the whole line takes a minute."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from warm import PROGRAMS, Order, Warm

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

# What makes the default parameters small; everything else stays as it is.
TINY: dict[str, Any] = {
    "runtime.threads": 1,
    "datasets.digits.evaluator.steps": 60,
    "datasets.docstrings.source.packages": ["stdlib"],
    "datasets.docstrings.prepare.vocabulary": 1000,
    "datasets.docstrings.evaluator.embedding": 16,
    "datasets.docstrings.evaluator.hidden": 32,
    "datasets.docstrings.evaluator.steps": 30,
    "experiments.digits-vae.model.width": 8,
    "experiments.digits-vae.model.gmm_components": [2, 3],
    "experiments.digits-vae.train.steps": 30,
    "experiments.digits-vae.train.validate_every": 15,
    "experiments.digits-vae.evaluate.draws": 5,
    "experiments.digits-vae.evaluate.importance_samples": 10,
    "experiments.digits-gan.model.width": 32,
    "experiments.digits-gan.train.steps": 40,
    "experiments.digits-gan.train.validate_every": 20,
    "experiments.digits-gan.evaluate.draws": 5,
    "experiments.docstrings-vae.model.embedding": 16,
    "experiments.docstrings-vae.model.encoder": 16,
    "experiments.docstrings-vae.model.decoder": 32,
    "experiments.docstrings-vae.train.steps": 30,
    "experiments.docstrings-vae.train.validate_every": 15,
    "experiments.docstrings-vae.evaluate.samples": 60,
    "experiments.docstrings-vae.evaluate.importance_samples": 2,
    "experiments.docstrings-gan.model.embedding": 16,
    "experiments.docstrings-gan.model.hidden": 32,
    "experiments.docstrings-gan.train.pretrain_steps": 20,
    "experiments.docstrings-gan.train.adversarial_steps": 10,
    "experiments.docstrings-gan.evaluate.samples": 60,
}


@dataclass(frozen=True)
class Clone:
    """A copy of the working tree in a git repository of its own."""

    path: Path

    def run(
        self, *command: str, check: bool = True, file_bytes: int | None = None, **environment: str
    ) -> Run:
        """Run a program in the clone; ``check`` wants exit status 0.

        ``dvc`` and ``genline`` are forks of a process that has imported their libraries.
        """
        if command[0] not in PROGRAMS:
            return self.run_cold(*command, check=check, **environment)
        with tempfile.TemporaryDirectory() as folder:
            started = self.start(
                *command, folder=Path(folder), file_bytes=file_bytes, **environment
            )
            return _checked(started.wait(), command, check)

    def start(
        self,
        *command: str,
        folder: Path,
        file_bytes: int | None = None,
        **environment: str,
    ) -> Started:
        """The same at work in a session of its own; what it prints goes to files in ``folder``."""
        output, errors = str(folder / "out"), str(folder / "err")
        whole = clean_environment() | environment
        starter = warm()
        order = Order(command, str(self.path), whole, output, errors, file_bytes)
        return Started(starter, starter.start(order), Path(output), Path(errors))

    def run_cold(self, *command: str, check: bool = True, **environment: str) -> Run:
        """Run a program as a person does, from the start of its interpreter on."""
        done = subprocess.run(
            [str(BIN / command[0]) if (BIN / command[0]).exists() else command[0], *command[1:]],
            cwd=self.path,
            env=clean_environment() | environment,
            capture_output=True,
            text=True,
            timeout=500,
        )
        return _checked(Run(done.returncode, done.stdout, done.stderr), command, check)

    def set(self, key: str, value: Any) -> None:
        """Set a dotted key of params.yaml."""
        path = self.path / "params.yaml"
        params = yaml.safe_load(path.read_text())
        place = params
        *parents, last = key.split(".")
        for parent in parents:
            place = place[parent]
        place[last] = value
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def lock(self) -> str:
        return (self.path / "dvc.lock").read_text()


@dataclass(frozen=True)
class Run:
    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def stages(self) -> list[str]:
        """The stages DVC ran, in order."""
        return re.findall(r"Running stage '([^']+)'", self.text)

    @property
    def error_lines(self) -> list[str]:
        """What genline itself said on standard error."""
        return [line for line in self.text.splitlines() if re.match(r"genline [a-z-]+: ", line)]


@dataclass(frozen=True)
class Started:
    """A command at work."""

    starter: Warm
    number: int  # of its process, which leads a group
    output: Path
    errors: Path

    def wait(self) -> Run:
        status = self.starter.wait(self.number)
        return Run(status, self.output.read_text(), self.errors.read_text())

    def wait_for(self, words: str) -> None:
        """Until it has printed that."""
        for _ in range(3000):
            with suppress(FileNotFoundError):
                if words in self.output.read_text() + self.errors.read_text():
                    return
            time.sleep(0.1)
        raise AssertionError(f"never said {words!r}: {self.errors.read_text()}")


def _checked(run: Run, command: Sequence[str], check: bool) -> Run:
    assert not check or run.status == 0, f"{command} failed:\n{run.text}"
    assert "Traceback" not in run.text, run.text
    return run


@cache
def warm() -> Warm:
    """The process of this test session whose forks ``dvc`` and ``genline`` are."""
    starter = Warm(clean_environment())
    atexit.register(starter.close)
    return starter


def clean_environment() -> dict[str, str]:
    """The environment of a person with this project's environment activated and no settings."""
    set_here = ("MLFLOW_", "DVC_", "GIT_", "OMP_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(set_here)}
    kept["PATH"] = f"{BIN}{os.pathsep}{kept['PATH']}"
    # git refuses to commit without a name; experiments commit.
    for role in ("AUTHOR", "COMMITTER"):
        kept |= {f"GIT_{role}_NAME": "Test", f"GIT_{role}_EMAIL": "test@example.org"}
    return kept


def copy_tree(target: Path) -> None:
    """Copy the files git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def make_clone(target: Path, git: bool = True) -> Clone:
    """A clone with tiny budgets, committed."""
    target.mkdir(parents=True)
    copy_tree(target)
    clone = Clone(target)
    for key, value in TINY.items():
        clone.set(key, value)
    # One package instead of five gives fewer sentences than the suite rightly asks for.
    suite = target / "data/expectations/docstrings.yaml"
    suite.write_text(suite.read_text().replace("min_value: 20000", "min_value: 1000"))
    if git:
        for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "Start"]):
            clone.run("git", *command)
    return clone
