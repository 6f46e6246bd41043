"""An experiment's MLflow run: opened by training, found again by content, never in the way.

The stages' own files are the record and MLflow is a view of them, so nothing here raises for
trouble with MLflow: it is said once on stderr, and the stage goes on without.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.errors import TrackingError
from genline.core.files import canonical_json
from genline.tracking import card, provenance
from genline.tracking.store import Store, connect, experiment_id, one_line, resolve

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

FLUSH_SECONDS = 10.0
_BATCH = 1000  # the most metrics MLflow takes at once
_PARAMS = 100
_DIGEST = 12  # hexadecimal digits of the data's digest shown; MLflow takes at most 36


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
        self.tag({"genline.model_digest": model_digest})

    def flush(self) -> None:
        """Send the rows kept back."""
        rows, self._rows = self._rows, []
        self._flushed = time.monotonic()
        curves = [
            ({f"train/{k}": v for k, v in row.items() if k != "step"}, int(row["step"]))
            for row in rows
        ]
        self.link.do(lambda client: self._log(client, curves))

    def metrics(self, figures: Mapping[str, float]) -> None:
        """Figures that are single numbers, not curves."""
        self.link.do(lambda client: self._log(client, [(figures, 0)]))

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

    def folder(self, path: Path, name: str) -> None:
        """A folder's files as artifacts."""
        if self.run_id is not None:
            run_id = self.run_id
            self.link.do(lambda client: client.log_artifacts(run_id, str(path), name))

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
    its process still lives. The run ends FINISHED, FAILED or, when interrupted, KILLED.
    """
    run = Run(_Link(resolve()))
    run.link.open()
    tags = {
        "genline.experiment": experiment,
        "genline.recipe_digest": recipe_digest,
        "genline.data_digest": data_digest,
        "genline.process": f"{socket.gethostname()}:{os.getpid()}",
        **_source_tags(),
    }
    run.link.do(lambda client: _open_training(client, run, experiment, dataset, tags))
    run.tag(tags)
    run.link.do(lambda client: _describe(client, run, dataset, data_digest, params))
    run.text(canonical_json(params), "pipeline/params.json")
    for name, content in provenance.pipeline_slices(experiment, dataset, "train").items():
        run.text(content, f"pipeline/{name}")
    try:
        yield run
    except Exception:
        run.end("FAILED")
        raise
    except BaseException:
        run.end("KILLED")
        raise
    run.end("FINISHED")


def evaluated_run(evaluation: dict[str, Any], samples: Path) -> None:
    """Add an evaluation to the run whose training gave the model, found by the model's digest.

    Without such a run (after ``dvc pull`` on a machine that never trained) one is made from the
    record. Metrics carry the evaluation's names and values; intervals and floors, which would
    treble the columns of MLflow's tables, stand in the run's description and in
    ``evaluation.json``. Health checks are tags.
    """
    run = Run(_Link(resolve()))
    run.link.open()
    run.run_id = run.link.do(lambda client: run_for_evaluation(client, run.link.store, evaluation))
    run.metrics({name: metric["value"] for name, metric in evaluation["metrics"].items()})
    health = {
        f"genline.health.{check}": "passed" if found["passed"] else f"failed: {found['reason']}"
        for check, found in evaluation["health"].items()
    }
    failed = [check for check, found in evaluation["health"].items() if not found["passed"]]
    run.tag(
        {
            "genline.evaluator_digest": evaluation["digests"]["evaluator"],
            "genline.health": f"failed: {', '.join(failed)}" if failed else "passed",
            "mlflow.note.content": card.evaluation_markdown(evaluation),
            **health,
        }
    )
    run.text(canonical_json(evaluation), "evaluation.json")
    run.folder(samples, "samples")
    slices = provenance.pipeline_slices(evaluation["experiment"], evaluation["dataset"], "evaluate")
    for name, content in slices.items():
        run.text(content, f"pipeline/evaluate/{name}")


def run_for_evaluation(client: MlflowClient, store: Store, evaluation: Mapping[str, Any]) -> str:
    """The id of the latest run that gave the evaluated model, made from the record if none did.

    Raises what MLflow raises.
    """
    experiment, digests = evaluation["experiment"], evaluation["digests"]
    place = experiment_id(client, store, evaluation["dataset"])
    tags = {"genline.experiment": experiment, "genline.model_digest": digests["model"]}
    found = _search(client, place, tags)
    if found:
        return str(found[0].info.run_id)
    tags |= {"genline.data_digest": digests["data"], **_source_tags()}
    run_id = str(client.create_run(place, tags=tags, run_name=experiment).info.run_id)
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _source_tags() -> dict[str, str]:
    """Stage, commit and, for MLflow's own columns, source and user."""
    tags = {**provenance.stage_tags(), **provenance.commit_tags()}
    tags |= {"mlflow.source.type": "LOCAL", "mlflow.source.name": "genline"}
    if "genline.commit" in tags:
        tags["mlflow.source.git.commit"] = tags["genline.commit"]
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _open_training(
    client: MlflowClient, run: Run, experiment: str, dataset: str, tags: Mapping[str, str]
) -> None:
    place = experiment_id(client, run.link.store, dataset)
    for found in _search(client, place, {"genline.experiment": experiment}):
        if found.info.status == "FINISHED" or _alive(found):
            continue
        if found.data.tags.get("genline.recipe_digest") == tags["genline.recipe_digest"]:
            run.run_id = found.info.run_id
            client.update_run(run.run_id, status="RUNNING")
            history = client.get_metric_history(run.run_id, "train/loss")
            run.logged = max((point.step for point in history), default=0)
            return
        if found.info.status == "RUNNING":  # its process was killed before it could say so
            client.set_terminated(found.info.run_id, "KILLED")
    run.run_id = client.create_run(place, tags=dict(tags), run_name=experiment).info.run_id


def _alive(found: MlflowRun) -> bool:
    """Whether a run's process is still at work; one on another host is taken to be."""
    if found.info.status != "RUNNING":
        return False
    host, _, process = found.data.tags.get("genline.process", "").rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return bool(host)
    if int(process) == os.getpid():
        return False
    with contextlib.suppress(ProcessLookupError):
        with contextlib.suppress(PermissionError):
            os.kill(int(process), 0)
        return True
    return False


def _describe(
    client: MlflowClient, run: Run, dataset: str, data_digest: str, params: dict[str, Any]
) -> None:
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    if run.run_id is None:
        return
    flat = [Param(k, v) for k, v in provenance.flatten(params).items()]
    for start in range(0, len(flat), _PARAMS):
        client.log_batch(run.run_id, params=flat[start : start + _PARAMS])
    source = CodeDatasetSource({"path": f"data/prepared/{dataset}"})
    data = Dataset(dataset, data_digest[:_DIGEST], source._get_source_type(), source.to_json())
    client.log_inputs(run.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "train")])])


def _search(client: MlflowClient, place: str, tags: Mapping[str, str]) -> list[MlflowRun]:
    """Runs with all these tags, the latest first."""
    wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    found = client.search_runs([place], wanted, order_by=["attributes.start_time DESC"])
    return list(found)
