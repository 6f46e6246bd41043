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
from typing import TYPE_CHECKING, Any

from genline.core.errors import GenlineError, TrackingError, TrainingStopped
from genline.core.files import canonical_json, digest_bytes, read_json
from genline.tracking import packages, provenance, validation, view
from genline.tracking.patch import FILE as PATCH_FILE
from genline.tracking.patch import working_patch
from genline.tracking.records import files_of
from genline.tracking.store import Store, connect, experiment_id, one_line, resolve

if TYPE_CHECKING:
    from mlflow import MlflowClient

FLUSH_SECONDS = 10.0
_BATCH = 1000  # the most metrics MLflow takes at once


@dataclass
class _Link:
    """The way to MLflow, open until the first trouble."""

    store: Store
    client: MlflowClient | None = None

    def open(self) -> None:
        try:
            self.client = connect(self.store)
        except TrackingError as error:
            self._close(str(error))
        except Exception as error:
            self._close(one_line(error))

    def do(self, action: Callable[[MlflowClient], Any]) -> Any:
        """The result of ``action``, or None once there was trouble."""
        if self.client is None:
            return None
        try:
            return action(self.client)
        except Exception as error:
            self._close(f"MLflow at {self.store.shown} failed ({one_line(error)})")
            return None

    def _close(self, why: str) -> None:
        self.client = None
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
        self.link.do(lambda client: self._log(client, [(rate, 0)] if steps else []))
        name = view.run_name(self.experiment, model_digest)
        self.tag({view.MODEL: model_digest, "mlflow.runName": name})

    def flush(self) -> None:
        """Send the rows kept back."""
        rows, self._rows = self._rows, []
        self._flushed = time.monotonic()
        curves = [
            ({f"train/{k}": v for k, v in row.items() if k != "step"}, int(row["step"]))
            for row in rows
        ]
        self.link.do(lambda client: self._log(client, curves))

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set tags, replacing those of the same name."""

        def send(client: MlflowClient) -> None:
            from mlflow.entities import RunTag

            if self.run_id is not None:
                client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in tags.items()])

        self.link.do(send)

    def text(self, content: str, name: str) -> None:
        """A small text as an artifact."""
        if self.run_id is not None:
            run_id = self.run_id
            self.link.do(lambda client: client.log_text(run_id, content, name))

    def file(self, content: bytes, name: str) -> None:
        """A small file as an artifact."""
        if self.run_id is None:
            return
        run_id = self.run_id
        with tempfile.TemporaryDirectory(prefix="genline-artifact-") as folder:
            path = Path(folder, name)
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
            self.link.do(lambda client: client.log_artifacts(run_id, folder))

    def end(self, status: str) -> None:
        self.flush()
        if self.run_id is not None:
            run_id = self.run_id
            self.link.do(lambda client: client.set_terminated(run_id, status))

    def _log(self, client: MlflowClient, groups: Sequence[tuple[Mapping[str, float], int]]) -> None:
        from mlflow.entities import Metric

        if self.run_id is None:
            return
        now = int(time.time() * 1000)
        metrics = [Metric(k, v, now, step) for figures, step in groups for k, v in figures.items()]
        for start in range(0, len(metrics), _BATCH):
            client.log_batch(self.run_id, metrics=metrics[start : start + _BATCH])


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
    run.link.do(lambda client: _open_training(client, run, experiment, dataset, tags))
    run.tag(tags)
    run.link.do(lambda client: _describe(client, run, dataset, data_digest, params))
    run.text(canonical_json(params), "pipeline/params.json")
    for name, content in provenance.pipeline_slices(experiment, dataset, "train").items():
        run.text(content, f"pipeline/{name}")
    _describe_validation(run, dataset)
    _describe_code(run, tags)
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
    link.do(lambda client: view.bring_up_to_date(client, link.store, files))


def run_for_evaluation(client: MlflowClient, store: Store, evaluation: Mapping[str, Any]) -> str:
    """The id of the latest run that gave the evaluated model, made from the files if none did.

    Raises what MLflow raises.
    """
    return view.bring_up_to_date(client, store, files_of(evaluation))[0]


def _open_training(
    client: MlflowClient, run: Run, experiment: str, dataset: str, tags: Mapping[str, str]
) -> None:
    place = experiment_id(client, run.link.store, dataset)
    for found in view.search(client, place, {"genline.experiment": experiment}):
        same = found.data.tags.get("genline.recipe_digest") == tags["genline.recipe_digest"]
        if found.info.status == "FINISHED" or view.at_work(client, found, resumed=same):
            continue
        if same:
            run.run_id = found.info.run_id
            client.update_run(run.run_id, status="RUNNING")
            history = client.get_metric_history(run.run_id, "train/loss")
            run.logged = max((point.step for point in history), default=0)
            return
        if found.info.status == "RUNNING":  # its process was killed before it could say so
            client.set_terminated(found.info.run_id, "KILLED")
    run.run_id = client.create_run(place, tags=dict(tags), run_name=experiment).info.run_id


def _describe(
    client: MlflowClient, run: Run, dataset: str, data_digest: str, params: dict[str, Any]
) -> None:
    if run.run_id is None:
        return
    found = client.get_run(run.run_id)
    view.put_params(client, found, params)
    view.put_dataset(client, found, dataset, data_digest)


def _describe_code(run: Run, tags: Mapping[str, str]) -> None:
    """What else decides the result: package versions and, of a dirty tree, the patch."""
    run.text(canonical_json(packages.installed()), packages.FILE)
    if tags.get("genline.dirty") != "true" or run.run_id is None:
        return
    patch = working_patch()
    if patch.content is None:
        run.tag({"genline.patch": f"not kept: {patch.reason}"})
        return
    run.file(patch.content, PATCH_FILE)
    run.tag({"genline.patch": f"{PATCH_FILE} {digest_bytes(patch.content)}"})


def _describe_validation(run: Run, dataset: str) -> None:
    with contextlib.suppress(GenlineError, OSError, KeyError, TypeError):
        found = validation.summary(read_json(f"data/validated/{dataset}/result.json"))
        run.text(canonical_json(found), validation.FILE)
