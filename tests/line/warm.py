"""Commands that do not wait for the import of their libraries.

A process imports them once and forks: the command in a session of its own, and of it, wherever it
starts ``dvc`` or ``genline``, a process that is that command. What runs is their own code in a tree
of processes like a person's, each with an environment, a folder and outputs of its own; a shell
alone is left out. A program that is to find other code by ``PYTHONPATH`` is started as always.

``python warm.py`` is that process. It reads a line of JSON for each order, and answers with a
number: of the process that was started, or the exit status of the one that was waited for.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import resource
import shlex
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import genline

PROGRAMS = ("dvc", "genline")
_SHELLS = ("sh", "bash", "dash", "zsh", "fish")
_USED = (
    "alembic.command",
    "dulwich.ignore",
    "dulwich.index",
    "dulwich.worktree",
    "dvc.api",
    "dvc.cachemgr",
    "dvc.cli.parser",
    "dvc.data_cloud",
    "dvc.repo.datasets",
    "dvc.repo.graph",
    "dvc.repo.index",
    "dvc.repo.plots",
    "dvc.repo.reproduce",
    "dvc.repo.stage",
    "dvc.repo.status",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.status",
    "dvc_data.index.checkout",
    "dvc_render",
    "git",
    "great_expectations",
    "lightning_fabric",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.pyfunc",
    "networkx",
    "PIL.PngImagePlugin",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.mixture",
    "torch._dynamo",
)


@dataclass(frozen=True)
class Order:
    """A command: where it runs, in which environment, and the files that take what it prints."""

    command: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]
    output: str
    errors: str  # the same file where both go into one
    file_bytes: int | None = None  # no file it writes may pass that


class Cold:
    """Starts commands as a person does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, order: Order) -> int:
        """The number of a process that runs ``dvc …`` or ``genline …``."""
        name, *arguments = order.command
        with Path(order.output).open("wb") as output, Path(order.errors).open("ab") as errors:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name(name)), *arguments],
                cwd=order.folder,
                env=dict(order.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output if order.errors == order.output else errors,
                start_new_session=True,
            )
        self._processes[process.pid] = process
        return process.pid

    def wait(self, number: int) -> int:
        """Exit status of what was started; below zero, the signal that ended it."""
        return self._processes.pop(number).wait()

    def close(self) -> None:
        pass


class Warm(Cold):
    """The same by forks of one process, which :meth:`close` ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            cwd="/",
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, order: Order) -> int:
        return self._ask({"start": asdict(order)})

    def wait(self, number: int) -> int:
        return self._ask({"wait": number})

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def _ask(self, question: dict[str, Any]) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(question) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline().strip()
        assert line, "the warm process has ended"
        return int(line)


def _serve() -> None:
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints is no answer
    _import_all()
    subprocess.Popen = _Popen  # type: ignore[misc]
    for line in questions:
        question = json.loads(line)
        if "start" in question:
            answer = _fork(partial(_begin, Order(**question["start"])))
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
        print(answer, file=answers, flush=True)


def _import_all() -> None:
    for name in _USED:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(genline.__path__, "genline."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _fork(act: Callable[[], NoReturn]) -> int:
    """A child that does ``act``, which ends it."""
    sys.stdout.flush()
    sys.stderr.flush()
    number = os.fork()
    if number:
        return number
    try:
        act()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _begin(order: Order) -> NoReturn:
    """This process, one that leads a session of its own, from now on is that command."""
    os.setsid()
    os.chdir(order.folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    output = os.open(order.output, flags)
    os.dup2(output, 1)
    os.dup2(output if order.errors == order.output else os.open(order.errors, flags), 2)
    if order.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.file_bytes, order.file_bytes))
    _become(order.command, order.environment)


def _become(command: Sequence[str], environment: Mapping[str, str] | None) -> NoReturn:
    """Run it as a fresh interpreter would, and end."""
    status = 1
    try:
        gc.enable()  # subprocess forks with it disabled
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)
        if environment is not None:
            given = dict(environment)
            os.environ.clear()
            os.environ.update(given)
        importlib.reload(genline)  # who started it, and the switches of the environment
        status = _main(command)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else bool(error.code)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        with suppress(OSError, ValueError):  # no one reads it, or there is no room
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _main(command: Sequence[str]) -> int:
    program, *arguments = command
    sys.argv = list(command)
    if program == "dvc":
        import dvc.cli

        return int(dvc.cli.main(arguments) or 0)
    import genline.cli

    return genline.cli.main(arguments)


class _Popen(subprocess.Popen):  # type: ignore[type-arg]
    """One whose child, where it would start a program of ours, becomes it."""

    def __init__(self, args: Any, *rest: Any, **options: Any) -> None:
        if command := _ours(args, options.get("env")):
            sys.stdout.flush()
            sys.stderr.flush()
            options["preexec_fn"] = partial(
                _instead,
                command,
                options.get("env"),
                _open_files() | {*options.get("pass_fds", ())},
            )
        super().__init__(args, *rest, **options)


def _ours(args: Any, environment: Mapping[str, str] | None) -> list[str] | None:
    """The command of ours that is to be started, if it is one and would find this code."""
    if isinstance(args, (str, bytes, os.PathLike)):
        return None
    given = [os.fspath(word) for word in args]
    if environment is not None and environment.get("PYTHONPATH") != os.environ.get("PYTHONPATH"):
        return None
    if Path(given[0]).name in _SHELLS and given[-2:-1] == ["-c"]:
        given = shlex.split(given[-1])
    if given[:2] == [sys.executable, "-m"]:
        given = given[2:]
    return [Path(given[0]).name, *given[1:]] if Path(given[0]).name in PROGRAMS else None


def _instead(
    command: Sequence[str], environment: Mapping[str, str] | None, keep: set[int]
) -> NoReturn:
    """In the place of starting it: the pipes that were made for the start alone are closed."""
    for number in _open_files() - keep - {0, 1, 2}:
        os.close(number)
    _become(command, environment)


def _open_files() -> set[int]:
    listed = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    found = set()
    for number in listed:
        with suppress(OSError):  # that of the listing itself
            os.fstat(number)
            found.add(number)
    return found


if __name__ == "__main__":
    _serve()
