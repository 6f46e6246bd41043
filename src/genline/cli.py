"""The ``genline`` command: one subcommand a verb, each importing its stage only when it runs."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from genline import __version__
from genline.core.errors import GenlineError

DATASET_STAGES = {
    "download": "fetch a dataset's source into data/raw/",
    "validate": "check a dataset against its expectations; a failed one stops the line",
    "prepare": "clean, split and pack a dataset",
    "fit-evaluator": "fit a dataset's frozen judge on its training split",
}
EXPERIMENT_STAGES = {
    "train": "train an experiment's model",
    "evaluate": "judge an experiment's model on the test split",
    "register": "put an experiment's model into MLflow's registry, behind the gate",
}
# The line from end to end, each step run once for each dataset or each experiment.
STEPS = (*DATASET_STAGES, *EXPERIMENT_STAGES, "report")
MODEL_HELP = "name@alias, name/version, a run's id, or a folder such as models/NAME"
# These ask or tell the registry, which knows its models: a params.yaml that is being edited, or no
# longer names an experiment, is no reason to refuse a look at a model, or a way back.
WITHOUT_PARAMS = ("ui", "datasets", "lineage", "promote", "rollback")
CRASH_LOG = Path(".genline/crash.log")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; every expected error is one line."""
    _hold_standard_streams()
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _run(arguments)
        _flush()
    except GenlineError as error:
        return _fail(arguments.verb, str(error))
    except BrokenPipeError:
        # The reader went away (`genline sample … | head`): no error.
        _let_go_of_output()
    except KeyboardInterrupt:
        return _fail(arguments.verb, _interrupted(), status=130)
    except OSError as error:
        _let_go_of_output()
        return _fail(arguments.verb, _operating_system(error))
    except Exception as error:  # a bug: keep the details, show one line
        return _fail(arguments.verb, _crash(error), status=70)
    return 0


def _hold_standard_streams() -> None:
    """Where a caller has closed them: the next file opened would take the place of one, and be
    printed into. A character the terminal has no code for is escaped, and ends nothing."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:  # None where the caller has closed it
        sys.stdout.flush()


def _let_go_of_output() -> None:
    """No second try at exit to write what could not be written."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted() -> str:
    # DVC takes a stage's old outputs away before it starts the stage.
    if "DVC_STAGE" in os.environ:
        return (
            "interrupted; `dvc repro` goes on; `git restore reports` and `dvc checkout` bring the "
            "last outputs back"
        )
    return "interrupted; run it again to go on"


def _fail(verb: str, message: str, status: int = 1) -> int:
    print(f"genline {verb}: {message}", file=sys.stderr, flush=True)
    return status


def _operating_system(error: OSError) -> str:
    # Files are named by what writes them; what is printed has no name.
    where = str(error.filename or "").replace(str(Path.cwd()) + os.sep, "") or "standard output"
    advice = {
        errno.ENOSPC: "the disk is full: free some space and run again",
        errno.EFBIG: "the file would pass the size limit: raise `ulimit -f` and run again",
        errno.EDQUOT: "the disk quota is used up: free some space and run again",
        errno.EROFS: "the file system is read-only: make it writable and run again",
        errno.EACCES: "permission denied: give this user the right and run again",
        errno.EPERM: "permission denied: give this user the right and run again",
        errno.ENOENT: "no such file or folder",
        errno.EISDIR: "is a folder where a file is wanted: move it away",
        errno.ENOTDIR: "a part of this path is a file, not a folder: move it away",
        errno.ELOOP: "a link that leads back to itself: remove it",
        errno.ENAMETOOLONG: "the name is too long for the file system: choose a shorter one",
        errno.EMFILE: "too many open files: raise `ulimit -n`",
    }
    reason = error.strerror or str(error) or type(error).__name__
    return f"{where}: {advice.get(error.errno or 0, reason)}"


def _crash(error: Exception) -> str:
    text = "".join(traceback.format_exception(error))
    summary = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    try:
        CRASH_LOG.parent.mkdir(exist_ok=True)
        CRASH_LOG.write_text(text, encoding="utf-8")
    except OSError:
        return f"unexpected error, a bug in genline: {summary}"
    return f"unexpected error, a bug in genline: {summary} (details in {CRASH_LOG})"


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that locks are released and runs are closed.
    raise KeyboardInterrupt


def _check_params(arguments: argparse.Namespace) -> None:
    from genline import parameters

    parameters.check()
    if "dataset" in arguments:
        parameters.require("datasets", arguments.dataset)
    if "experiment" in arguments:
        parameters.require("experiments", arguments.experiment)


def _run(arguments: argparse.Namespace) -> None:
    verb = arguments.verb
    if verb not in WITHOUT_PARAMS:
        _check_params(arguments)
    if verb == "check":
        from genline.retraining.dvc_notes import mend

        mend()  # `make repro` checks first: what a killed DVC left must not stop the next
        print("params.yaml is valid")
        return
    options = {k: v for k, v in vars(arguments).items() if k != "verb"}
    began = time.monotonic()
    if verb in STEPS:
        heading = " ".join([verb, *map(str, options.values())])
        # Above what the stage prints on standard error, where both go to one log.
        print(f"[step {STEPS.index(verb) + 1} of {len(STEPS)}] {heading}", flush=True)
    module = importlib.import_module(f"genline.stages.{verb.replace('-', '_')}")
    run: Callable[..., None] = module.run
    run(**options)
    if verb in STEPS:
        print(f"done in {time.monotonic() - began:.1f} s", flush=True)


class _Parser(argparse.ArgumentParser):
    """A wrong command is one line; the whole usage is a command away."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


class _Verbs:
    """Subcommands whose own page begins with what the list of all says of them."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def add_parser(self, name: str, about: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._made.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}."
        )
        return parser


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="genline",
        description="Your images or texts to trained, judged and registered generative models.",
        epilog="`dvc repro` runs every stage that is out of date.",
    )
    parser.add_argument("--version", action="version", version=f"genline {__version__}")
    verbs = _Verbs(parser.add_subparsers(dest="verb", metavar="VERB", required=True))
    verbs.add_parser("check", "read all of params.yaml and refuse what is wrong")
    for verb, about in DATASET_STAGES.items():
        verbs.add_parser(verb, about).add_argument("dataset", help="a name under datasets")
    for verb, about in EXPERIMENT_STAGES.items():
        stage = verbs.add_parser(verb, about)
        stage.add_argument("experiment", help="a name under experiments")
    verbs.add_parser("datasets", "list the data sets known by name")
    start = verbs.add_parser("init", "add your data to params.yaml, with sensible settings")
    start.add_argument(
        "--from",
        dest="origin",
        required=True,
        metavar="PATH",
        help="your data, or a name that `genline datasets` lists",
    )
    start.add_argument("--name", default=None, help="of the dataset; default: from PATH")
    start.add_argument("--skip", action="store_true", help="leave out what cannot be read, counted")
    verbs.add_parser("report", "write reports/index.html and reports/report.md")
    verbs.add_parser("summary", "say in three lines what the last run found")
    _retrain(verbs.add_parser("retrain", "make anew what changed; offer it as a branch"))
    _sample(verbs.add_parser("sample", "draw samples: a PNG grid, or lines of text"))
    _registry(verbs)
    ui = verbs.add_parser("ui", "open MLflow's pages on 127.0.0.1")
    ui.add_argument("--port", type=int, default=5000, help="default: %(default)s")
    return parser


def _registry(verbs: _Verbs) -> None:
    verbs.add_parser("sync", "make MLflow equal to what the files say")
    lineage = verbs.add_parser("lineage", "say where a model came from")
    lineage.add_argument("model", help=MODEL_HELP)
    lineage.add_argument("--json", action="store_true", dest="as_json", help="all of it, as JSON")
    reproduce = verbs.add_parser("reproduce", "train a model again and compare the digests")
    reproduce.add_argument("model", help=MODEL_HELP)
    reproduce.add_argument("--keep", action="store_true", help="keep the working tree it ran in")
    promote = verbs.add_parser("promote", "make a version champion, whatever the gate said")
    promote.add_argument("model", help="name@alias or name/version")
    rollback = verbs.add_parser("rollback", "make the champion before champion again")
    rollback.add_argument("experiment", help="a registered model")
    for parser in (promote, rollback):
        parser.add_argument("--reason", default=None, help="why, for the record")


def _retrain(parser: argparse.ArgumentParser) -> None:
    steps = ("check", "pull", "repro", "compare", "push", "publish", "promote")
    parser.add_argument("--only", choices=steps, help="this step alone")
    parser.add_argument("--dry-run", action="store_true", help="say what it would do, do nothing")
    parser.add_argument("--experiments", metavar="E,…", help="only these; default: all out of date")
    parser.add_argument("--budget", metavar="NAME", help="set what presets/budgets/NAME.yaml says")


def _sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", help="a name under experiments")
    parser.add_argument("-n", "--count", type=int, default=16, help="default: %(default)s")
    parser.add_argument(
        "-o",
        "--output",
        default=None,
        metavar="FILE",
        help="FILE.png for images, FILE.txt for texts; '-' prints texts",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--variant",
        default=None,
        help="which sampler; of an image VAE one of its model.samplers (gmm, two_stage, prior), of "
        "a text GAN generator (default) or control; the other families have one",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="texts only, 0.01 to 100; default: %(default)s",
    )
    parser.add_argument(
        "--labels",
        default=None,
        metavar="L,…",
        help="classes to draw in turn, of a class-conditional image model; default: any",
    )
    parser.add_argument(
        "--codes",
        default=None,
        metavar="K=V,…",
        help="values of an InfoGAN's codes, by their number from 0, categories first; default: any",
    )
    parser.add_argument(
        "--traverse",
        type=int,
        default=None,
        metavar="K",
        help="rows of images that differ in code K alone; -n is how many rows",
    )
    parser.add_argument(
        "--top-k",
        type=int,
        default=0,
        metavar="K",
        help="texts only: draw among the K likeliest tokens; default: all",
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        metavar="P",
        help="texts only: draw from the nucleus, the fewest tokens of probability P; default: all",
    )
    parser.add_argument(
        "--beams",
        type=int,
        default=0,
        metavar="B",
        help="texts only: search for the likeliest text, B side by side; 1 is greedy",
    )
