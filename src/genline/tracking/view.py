"""One run brought to what the files say: what is missing is added, and nothing is added twice."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

from genline.core.files import canonical_json, digest_bytes
from genline.tracking import card, provenance, saved_view
from genline.tracking.records import Files
from genline.tracking.store import Store, experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

MODEL, EXPERIMENT, DATA = "genline.model_digest", "genline.experiment", "genline.data_digest"
_ARTIFACTS = "genline.artifacts"  # what was uploaded: a digest of each file, as JSON
_BATCH = 1000  # the most metrics MLflow takes at once
_PARAMS = 100
_PREVIEW = 256  # pixels of the longer side of the picture that MLflow shows first
_DIGEST = 12  # hexadecimal digits of the data's digest shown; MLflow takes at most 36
_UNFILED = ("train/seconds", "train/steps_per_second")  # of the machine, so in no file
_PROCESS, _STARTED = "genline.process", "genline.process_started"
_SAME_START = 1.0  # seconds by which the same process's start may be told differently
_TAKEN_SECONDS = 600.0  # a silence after which another host's run is gone on with
_GONE_SECONDS = 24 * 3600.0  # a run of another host that has said nothing for so long is dead


def run_name(experiment: str, model: str) -> str:
    """How a trained model's run is called: two trainings of one experiment can be told apart."""
    return f"{experiment} {model[:6]}"


def bring_up_to_date(client: MlflowClient, store: Store, files: Files) -> tuple[str, list[str]]:
    """The id of the run of the model in ``files``, and what had to be added to it, in words.

    The run is found by the model's digest; else one whose tracking was cut off is taken, if all
    that it holds agrees with the files; else one is made. Raises what MLflow raises.
    """
    assert files.model is not None
    place = experiment_id(client, store, files.dataset)
    found = _find(client, place, files)
    added: list[str] = []
    if found is None:
        tags = {EXPERIMENT: files.experiment, MODEL: files.model, **_origin(files)}
        found = client.create_run(
            place, tags=tags, run_name=run_name(files.experiment, files.model)
        )
        added.append("run")
    _View(client, found, files, added).complete()
    return str(found.info.run_id), added


def put_params(client: MlflowClient, run: MlflowRun, params: Mapping[str, Any]) -> int:
    """Log the parameters that the run lacks, and return their number."""
    from mlflow.entities import Param

    flat = provenance.flatten(params)
    missing = [Param(k, v) for k, v in flat.items() if k not in run.data.params]
    for start in range(0, len(missing), _PARAMS):
        client.log_batch(run.info.run_id, params=missing[start : start + _PARAMS])
    return len(missing)


def put_dataset(client: MlflowClient, run: MlflowRun, dataset: str, digest: str) -> bool:
    """Log the data set as the run's input, unless it is; whether it had to be."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.entities import Dataset, DatasetInput, InputTag

    shown = digest[:_DIGEST]
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    if any((i.dataset.name, i.dataset.digest) == (dataset, shown) for i in inputs):
        return False
    source = CodeDatasetSource({"path": f"data/prepared/{dataset}"})
    data = Dataset(dataset, shown, source._get_source_type(), source.to_json())
    context = InputTag("mlflow.data.context", "train")
    client.log_inputs(run.info.run_id, [DatasetInput(data, [context])])
    return True


def source_tags() -> dict[str, str]:
    """Stage, commit and, for MLflow's own columns, source and user."""
    tags = {**provenance.stage_tags(), **provenance.commit_tags()}
    tags |= {"mlflow.source.type": "LOCAL", "mlflow.source.name": "genline"}
    if "genline.commit" in tags:
        tags["mlflow.source.git.commit"] = tags["genline.commit"]
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def search(client: MlflowClient, place: str, tags: Mapping[str, str]) -> list[MlflowRun]:
    """Runs with all these tags, the latest first."""
    wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    found = client.search_runs([place], wanted, order_by=["attributes.start_time DESC"])
    return list(found)


def sweep(client: MlflowClient, place: str, experiment: str) -> int:
    """Close the runs that say RUNNING and whose process is gone; their number."""
    dead = 0
    for run in search(client, place, {EXPERIMENT: experiment}):
        if run.info.status == "RUNNING" and not alive(run) and not _lately(client, run):
            client.set_terminated(run.info.run_id, "KILLED")
            dead += 1
    return dead


def process_tags() -> dict[str, str]:
    """Which process writes a run: host, number and start, since numbers are given out again."""
    started = psutil.Process().create_time()
    return {_PROCESS: f"{socket.gethostname()}:{os.getpid()}", _STARTED: f"{started:.2f}"}


def alive(found: MlflowRun) -> bool:
    """Whether a run's process is still at work on this host."""
    if found.info.status != "RUNNING":
        return False
    host, _, process = found.data.tags.get(_PROCESS, "").rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return False
    if int(process) == os.getpid():
        return False
    try:
        started = psutil.Process(int(process)).create_time()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it is there, and whose it is cannot be seen
        return True
    told = found.data.tags.get(_STARTED)
    return told is None or abs(started - float(told)) < _SAME_START


def _lately(client: MlflowClient, run: MlflowRun, resumed: bool = False) -> bool:
    """Whether another host's run has said something lately: it is taken to be at work.

    Lately is within a day. For one with whose recipe a training begins now (resumed) it is within
    ten minutes, or thrice its own longest silence: a container that took over its checkpoint is
    far more likely than the same training twice, and rows of the curve come by the minute.
    """
    host = run.data.tags.get(_PROCESS, "").rpartition(":")[0]
    if not host or host == socket.gethostname():
        return False
    history = client.get_metric_history(run.info.run_id, "train/loss")
    told = sorted([run.info.start_time, *(point.timestamp for point in history)])
    patience = _GONE_SECONDS
    if resumed and history:
        silences = [(b - a) / 1000 for a, b in pairwise(told)]
        patience = max(_TAKEN_SECONDS, 3 * max(silences))
    return bool(time.time() - told[-1] / 1000 < patience)


def at_work(client: MlflowClient, run: MlflowRun, resumed: bool = False) -> bool:
    """Whether a run may still be written to by its own training, here or on another host.

    resumed: a training with the run's recipe begins now, and would go on with it.
    """
    return alive(run) or (run.info.status == "RUNNING" and _lately(client, run, resumed))


def _origin(files: Files) -> dict[str, str]:
    tags = source_tags()
    commit = provenance.commit_of_model(files.experiment)
    if commit is not None:
        tags |= {"genline.commit": commit, "genline.dirty": "false"}
        tags["mlflow.source.git.commit"] = commit
    return tags


def _find(client: MlflowClient, place: str, files: Files) -> MlflowRun | None:
    tags = {EXPERIMENT: files.experiment}
    found = search(client, place, {**tags, MODEL: str(files.model)})
    if found:
        return found[0]
    for run in search(client, place, tags) if files.curve else []:
        if MODEL not in run.data.tags and not at_work(client, run) and _agrees(client, run, files):
            return run
    return None


def _agrees(client: MlflowClient, run: MlflowRun, files: Files) -> bool:
    """Whether all that a cut-off run holds is a part of what the files say."""
    flat = provenance.flatten(files.params)
    if run.data.tags.get(DATA) != files.data:
        return False
    if any(flat.get(key) != value for key, value in run.data.params.items()):
        return False
    points = {(f"train/{k}", int(row["step"])): v for row in files.curve for k, v in row.items()}
    return all(
        # The file keeps seven digits.
        points.get((key, point.step)) == float(f"{point.value:.7g}")
        for key in run.data.metrics
        if key not in _UNFILED
        for point in client.get_metric_history(run.info.run_id, key)
    )


@dataclass
class _View:
    client: MlflowClient
    run: MlflowRun
    files: Files
    added: list[str] = field(default_factory=list)

    @property
    def _id(self) -> str:
        return str(self.run.info.run_id)

    def complete(self) -> None:
        files = self.files
        self._say(put_params(self.client, self.run, files.params), "parameter")
        self._curve()
        if files.data is not None and put_dataset(self.client, self.run, files.dataset, files.data):
            self.added.append("data set")
        if files.evaluation is not None:
            self._evaluation(files.evaluation)
            saved_view.offer(self.client, self.run.info.experiment_id, files.evaluation["kind"])
        self._artifacts()
        self._tags()
        if self.run.info.status != "FINISHED" and not at_work(self.client, self.run):
            self.client.set_terminated(self._id, "FINISHED")
            if "run" not in self.added:
                self.added.append("its end")

    def _say(self, count: int, what: str) -> None:
        if count:
            self.added.append(f"{count} {what}{'' if count == 1 else 's'}")

    def _curve(self) -> None:
        points: dict[tuple[str, int], float] = {
            (f"train/{name}", int(row["step"])): value
            for row in self.files.curve
            for name, value in row.items()
            if name != "step"
        }
        for key in {key for key, _ in points} & set(self.run.data.metrics):
            for point in self.client.get_metric_history(self._id, key):
                points.pop((key, point.step), None)
        self._log([(key, value, step) for (key, step), value in points.items()])
        self._say(len(points), "curve point")

    def _evaluation(self, evaluation: Mapping[str, Any]) -> None:
        held = self.run.data.metrics
        new = {
            name: metric["value"]
            for name, metric in evaluation["metrics"].items()
            if held.get(name) != metric["value"]
        }
        self._log([(name, value, 0) for name, value in new.items()])
        self._say(len(new), "metric")

    def _log(self, figures: list[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, step) for key, value, step in figures]
        for start in range(0, len(metrics), _BATCH):
            self.client.log_batch(self._id, metrics=metrics[start : start + _BATCH])

    def _tags(self) -> None:
        """Those that identify the model, last of all: they say that the rest is there."""
        from mlflow.entities import RunTag

        files, held = self.files, self.run.data.tags
        wanted = {EXPERIMENT: files.experiment, MODEL: str(files.model)}
        wanted["mlflow.runName"] = run_name(files.experiment, str(files.model))
        if files.data is not None:
            wanted[DATA] = files.data
        if files.evaluation is not None:
            wanted |= evaluation_tags(files.evaluation)
        new = {key: value for key, value in wanted.items() if held.get(key) != value}
        if new:
            self.client.log_batch(self._id, tags=[RunTag(k, v) for k, v in new.items()])
            if "run" not in self.added:
                self._say(len(new), "tag")

    def _artifacts(self) -> None:
        held: dict[str, str] = json.loads(self.run.data.tags.get(_ARTIFACTS, "{}"))
        contents = self._contents()
        digests = {name: digest_bytes(content)[:16] for name, content in contents.items()}
        new = {name for name, digest in digests.items() if held.get(name) != digest}
        if not new:
            return
        with tempfile.TemporaryDirectory(prefix="genline-artifacts-") as folder:
            for name in new:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                if name.startswith("images/"):
                    again = name in held
                    self._image(path, contents[name], again)
                else:
                    path.write_bytes(contents[name])
            self.client.log_artifacts(self._id, folder)
        if any(name.startswith("images/") for name in new):
            self.client.set_tag(self._id, "mlflow.loggedImages", "True")
        self.client.set_tag(self._id, _ARTIFACTS, _compact(held | digests))
        self._say(len(new), "artifact")

    def _contents(self) -> dict[str, bytes]:
        """Every artifact's content, by its path."""
        files = self.files
        contents = {"pipeline/params.json": canonical_json(files.params)} if files.params else {}
        for stage, folder in (("train", "pipeline"), ("evaluate", "pipeline/evaluate")):
            if stage == "evaluate" and files.evaluation is None:
                continue
            slices = provenance.pipeline_slices(files.experiment, files.dataset, stage)
            contents |= {f"{folder}/{name}": text for name, text in slices.items()}
        if files.evaluation is not None:
            contents["evaluation.json"] = canonical_json(files.evaluation)
        found = {name: text.encode() for name, text in contents.items()}
        shown = files.samples.iterdir() if files.samples is not None else ()
        for path in sorted(p for p in shown if p.is_file()):
            found[f"samples/{path.name}"] = path.read_bytes()
            if path.suffix == ".png":
                found[f"images/{path.stem}"] = path.read_bytes()
        return found

    def _image(self, path: Path, content: bytes, again: bool) -> None:
        """Write a grid as MLflow's image charts, and their slider over steps, want to find it.

        Named as ``log_image`` does, but by content, so that one sent twice is there once. At step
        0, as the evaluated metrics are: the charts set grids of several runs side by side only
        where their steps are the same.
        """
        import io

        from PIL import Image

        when = int(time.time() * 1000) if again else self.run.info.start_time
        label = uuid.uuid5(uuid.NAMESPACE_OID, f"{path.name} {digest_bytes(content)}")
        stem = f"{path.name}+step+0+timestamp+{when}+{label}"
        path.with_name(f"{stem}.png").write_bytes(content)
        preview = Image.open(io.BytesIO(content)).convert("RGB")
        preview.thumbnail((_PREVIEW, _PREVIEW))
        preview.save(path.with_name(f"{stem}+compressed.webp"))


def evaluation_tags(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """What an evaluation says of a run besides its figures: health, evaluator, a description."""
    checks = evaluation["health"]
    failed = [check for check, found in checks.items() if not found["passed"]]
    tags = {
        f"genline.health.{check}": "passed" if found["passed"] else f"failed: {found['reason']}"
        for check, found in checks.items()
    }
    tags["genline.evaluator_digest"] = evaluation["digests"]["evaluator"]
    tags["genline.health"] = f"failed: {', '.join(failed)}" if failed else "passed"
    tags["mlflow.note.content"] = card.evaluation_markdown(evaluation)
    return tags


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
