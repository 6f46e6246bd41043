"""An experiment's MLflow run: opened by training, found again by content, never in the way.

The stages' own files are the record and MLflow is a view of them, so nothing here raises for
trouble with MLflow: it is said once on stderr, and the stage goes on without.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genline.core.errors import GenlineError, TrackingError, TrainingStopped
from genline.core.files import canonical_json, digest_bytes, read_json
from genline.tracking import packages, provenance, validation, view
from genline.tracking.books import NAME, Books, Point
from genline.tracking.patch import FILE as PATCH_FILE
from genline.tracking.patch import working_patch
from genline.tracking.records import files_of
from genline.tracking.sqlite_books import open_books
from genline.tracking.store import Store, one_line, resolve

FLUSH_SECONDS = 10.0


@dataclass
class _Link:
    """The way to MLflow, open until the first trouble."""

    store: Store
    books: Books | None = None

    def open(self) -> None:
        try:
            self.books = open_books(self.store)
        except TrackingError as error:
            self._close(str(error))
        except Exception as error:
            self._close(one_line(error))

    def do(self, action: Callable[[Books], Any]) -> Any:
        """The result of ``action``, or None once there was trouble."""
        if self.books is None:
            return None
        try:
            return action(self.books)
        except Exception as error:
            self._close(f"MLflow at {self.store.shown} failed ({one_line(error)})")
            return None

    def _close(self, why: str) -> None:
        self.books = None
        print(f"{why}. Going on without tracking; no result is lost.", file=sys.stderr, flush=True)


@dataclass
class Run:
    """A training's run. Every method is safe to call whether MLflow is there or not."""

    link: _Link
    experiment: str
    run_id: str | None = None
    logged: int = 0  # the last step that a resumed run already holds
    _rows: list[dict[str, float]] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)

    def row(self, row: Mapping[str, float]) -> None:
        """One row of the training curve, with its ``step``; kept back and sent in batches.

        Columns appear as ``train/<column>``, apart from evaluated metrics of the same name.
        """
        if self.run_id is None or row["step"] <= self.logged:
            return
        self._rows.append(dict(row))
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def trained(self, model_digest: str, seconds: float, steps: int) -> None:
        """The training is done: its weights' digest, and how long ``steps`` steps took here."""
        self.flush()
        rate = {"train/seconds": seconds, "train/steps_per_second": steps / max(seconds, 1e-9)}
        if steps:
            self._log([Point(key, value, 0) for key, value in rate.items()])
        self.tag({view.MODEL: model_digest, NAME: view.run_name(self.experiment, model_digest)})

    def flush(self) -> None:
        """Send the rows kept back."""
        rows, self._rows = self._rows, []
        self._flushed = time.monotonic()
        self._log(
            [
                Point(f"train/{name}", value, int(row["step"]))
                for row in rows
                for name, value in row.items()
                if name != "step"
            ]
        )

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags, replacing those of the same name."""
        run_id = self.run_id
        if run_id is not None and tags:
            self.link.do(lambda books: books.log(run_id, tags=tags))

    def files(self, contents: Mapping[str, bytes]) -> None:
        """Small files as artifacts, by their paths."""
        run_id = self.run_id
        if run_id is None:
            return
        with tempfile.TemporaryDirectory(prefix="genline-artifacts-") as folder:
            for name, content in contents.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.link.do(lambda books: books.put_files(run_id, Path(folder)))

    def end(self, status: str) -> None:
        self.flush()
        run_id = self.run_id
        if run_id is not None:
            self.link.do(lambda books: books.set_status(run_id, status))

    def _log(self, points: Sequence[Point]) -> None:
        run_id = self.run_id
        if run_id is not None and points:
            self.link.do(lambda books: books.log(run_id, points))


@contextmanager
def training_run(
    experiment: str,
    dataset: str,
    data_digest: str,
    params: dict[str, Any],
    recipe_digest: str,
) -> Iterator[Run]:
    """The run of one training, under the MLflow experiment named after the data set.

    An unfinished run with the same recipe digest is gone on with, as the checkpoint is, unless
    its process still lives, or is another host's that has spoken lately. The run ends FINISHED,
    FAILED or, when interrupted or stopped, KILLED.
    """
    run = Run(_Link(resolve()), experiment)
    run.link.open()
    tags = {
        "genline.experiment": experiment,
        "genline.recipe_digest": recipe_digest,
        "genline.data_digest": data_digest,
        **view.process_tags(),
        **view.source_tags(),
    }
    run.link.do(lambda books: _open_training(books, run, experiment, dataset, tags))
    run.link.do(lambda books: _describe(books, run, dataset, data_digest, params))
    if run.run_id is not None:
        slices = provenance.pipeline_slices(experiment, dataset, "train")
        told = {f"pipeline/{name}": text.encode() for name, text in slices.items()}
        told["pipeline/params.json"] = canonical_json(params).encode()
        told[packages.FILE] = canonical_json(packages.installed()).encode()
        patch, kept = _patch(tags)
        run.files(told | _validation(dataset) | patch)
        run.tag(kept)
    try:
        yield run
    except TrainingStopped:  # its checkpoint is kept, as when it is interrupted
        run.end("KILLED")
        raise
    except Exception:
        run.end("FAILED")
        raise
    except BaseException:
        run.end("KILLED")
        raise
    run.end("FINISHED")


def evaluated_run(evaluation: dict[str, Any], samples: Path) -> None:
    """Add an evaluation to the run whose training gave the model, found by the model's digest.

    What the run lacks of the training itself, after trouble with MLflow, is added as well; without
    such a run (after ``dvc pull`` on a machine that never trained) one is made from the files.
    Metrics carry the evaluation's names and values; intervals and floors, which would treble the
    columns of MLflow's tables, stand in the run's description and in ``evaluation.json``. Health
    checks are tags.
    """
    link = _Link(resolve())
    link.open()
    files = files_of(evaluation, samples)
    link.do(lambda books: view.bring_up_to_date(books, files))


def run_for_evaluation(store: Store, evaluation: Mapping[str, Any]) -> str:
    """The id of the latest run that gave the evaluated model, made from the files if none did.

    Raises what the books raise.
    """
    return view.bring_up_to_date(open_books(store), files_of(evaluation))[0]


def _open_training(
    books: Books, run: Run, experiment: str, dataset: str, tags: Mapping[str, str]
) -> None:
    place = books.place(dataset)
    for found in books.runs(place, {"genline.experiment": experiment}):
        same = found.tags.get("genline.recipe_digest") == tags["genline.recipe_digest"]
        if found.status == "FINISHED" or view.at_work(books, found, resumed=same):
            continue
        if same:
            run.run_id = found.run_id
            books.set_status(found.run_id, "RUNNING")
            books.log(found.run_id, tags=tags)
            history = books.history(found.run_id, "train/loss")
            run.logged = max((told.step for told in history), default=0)
            return
        if found.status == "RUNNING":  # its process was killed before it could say so
            books.set_status(found.run_id, "KILLED")
    run.run_id = books.begin(place, experiment, tags).run_id


def _describe(
    books: Books, run: Run, dataset: str, data_digest: str, params: dict[str, Any]
) -> None:
    if run.run_id is None:
        return
    found = books.run(run.run_id)
    view.offer_table(books, found.place, params["family"].partition("_")[0])
    view.put_params(books, found, params)
    view.put_dataset(books, found, dataset, data_digest)


def _patch(tags: Mapping[str, str]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Of a dirty tree what it adds to its commit, which decides the result as well; its tag."""
    if tags.get("genline.dirty") != "true":
        return {}, {}
    patch = working_patch()
    if patch.content is None:
        return {}, {"genline.patch": f"not kept: {patch.reason}"}
    named = f"{PATCH_FILE} {digest_bytes(patch.content)}"
    return {PATCH_FILE: patch.content}, {"genline.patch": named}


def _validation(dataset: str) -> dict[str, bytes]:
    with contextlib.suppress(GenlineError, OSError, KeyError, TypeError):
        found = validation.summary(read_json(f"data/validated/{dataset}/result.json"))
        return {validation.FILE: canonical_json(found).encode()}
    return {}
