"""DVC and the stages it runs without the seconds in which each imports its libraries.

A process imports them once and forks: DVC in a session of its own, and of DVC, in the place of the
shell that would start it, each stage. What runs is their own code in processes of their own, with
DVC as the stage's parent; a kill that is drawn at random then falls on work and not on imports.

``python warm.py`` is that process. It reads a line of JSON for each command, answers with the
number of the process, and with its exit status at the end.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import genline

_USED = (
    "dvc.api",
    "dvc.cli.parser",
    "dvc.repo.reproduce",
    "dvc.repo.status",
    "great_expectations",
    "lightning_fabric",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.pyfunc",
    "PIL.PngImagePlugin",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.mixture",
    "torch._dynamo",
)


class Cold:
    """Starts commands in ``folder``, one after the other, as a person does."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._environment = folder, dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str, output: Path) -> int:
        """The number of a process that runs ``dvc …`` or ``genline …`` and writes ``output``."""
        with output.open("wb") as written:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name(command[0])), *command[1:]],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._process.pid

    def wait(self) -> int:
        """Exit status of the command that was started; below zero, the signal that ended it."""
        assert self._process is not None
        return self._process.wait()

    def run(self, *command: str, output: Path) -> tuple[int, str]:
        """Exit status and output of a command."""
        self.start(*command, output=output)
        return self.wait(), output.read_text(errors="replace")

    def close(self) -> None:
        pass


class Warm(Cold):
    """The same by forks of one process, which :meth:`close` ends."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            cwd="/",
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def start(self, *command: str, output: Path) -> int:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps([str(self._folder), str(output), *command]) + "\n")
        self._server.stdin.flush()
        return int(self._answer())

    def wait(self) -> int:
        return int(self._answer())

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def _answer(self) -> str:
        assert self._server.stdout is not None
        line = self._server.stdout.readline().strip()
        assert line, "the warm process has ended"
        return line


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    _import_all()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        number = _fork(partial(_become, *json.loads(line)))
        print(number, file=answers, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), file=answers, flush=True)


def _import_all() -> None:
    import genline.stages

    for name in (*_USED, *(f"genline.stages.{m.name}" for m in _modules(genline.stages))):
        importlib.import_module(name)
    for family in _modules(importlib.import_module("genline.training.recipes")):
        importlib.import_module(f"genline.training.recipes.{family.name}")


def _modules(package: Any) -> Sequence[pkgutil.ModuleInfo]:
    return list(pkgutil.iter_modules(package.__path__))


def _fork(act: Callable[[], object]) -> int:
    """A child that does ``act`` and ends."""
    number = os.fork()
    if number:
        return number
    status = 1
    try:
        act()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else bool(error.code)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _become(folder: str, output: str, *command: str) -> NoReturn:
    """This process, one that leads a session of its own, from now on is that command."""
    os.setsid()
    os.chdir(folder)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(here, there)
    _main(command)


def _main(command: Sequence[str]) -> NoReturn:
    program, *arguments = command
    sys.argv = list(command)
    if program == "dvc":
        import dvc.cli
        import dvc.stage.run

        dvc.stage.run.subprocess = SimpleNamespace(Popen=_Stage)
        sys.exit(dvc.cli.main(arguments))
    import genline.cli

    sys.exit(genline.cli.main())


class _Stage:
    """In the place of the shell that DVC would start: a fork that is the stage's command."""

    def __init__(
        self, command: Sequence[str], cwd: str, env: Mapping[str, str], **_: object
    ) -> None:
        def act() -> None:
            genline.STARTED_BY = os.getppid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.environ.clear()
            os.environ.update(env)
            os.chdir(cwd)
            _main(shlex.split(command[-1]))

        sys.stdout.flush()
        sys.stderr.flush()
        self.pid, self.returncode = _fork(act), 0

    def communicate(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


if __name__ == "__main__":
    _serve()
