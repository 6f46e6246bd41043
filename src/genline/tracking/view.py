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
from typing import Any

import psutil  # type: ignore[import-untyped]

from genline.core.files import canonical_json, digest_bytes
from genline.tracking import card, provenance, saved_view
from genline.tracking.books import NAME, TAG_LENGTH, Books, Entry, Input, Point
from genline.tracking.names import as_tag
from genline.tracking.records import Files

MODEL, EXPERIMENT, DATA = "genline.model_digest", "genline.experiment", "genline.data_digest"
_ARTIFACTS = "genline.artifacts"  # what was uploaded: a digest of each file, as JSON
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


def bring_up_to_date(books: Books, files: Files) -> tuple[str, list[str]]:
    """The id of the run of the model in ``files``, and what had to be added to it, in words.

    The run is found by the model's digest; else one whose tracking was cut off is taken, if all
    that it holds agrees with the files; else one is made. Raises what the books raise.
    """
    assert files.model is not None
    place = books.place(files.dataset)
    found = _find(books, place, files)
    added: list[str] = []
    if found is None:
        tags = {EXPERIMENT: files.experiment, MODEL: files.model, **_origin(files)}
        found = books.begin(place, run_name(files.experiment, files.model), tags)
        added.append("run")
    _View(books, found, files, added).complete()
    return found.run_id, added


def put_params(books: Books, run: Entry, params: Mapping[str, Any]) -> int:
    """Log the parameters that the run lacks, and return their number."""
    missing = {k: v for k, v in provenance.flatten(params).items() if k not in run.params}
    if missing:
        books.log(run.run_id, params=missing)
    return len(missing)


def put_dataset(books: Books, run: Entry, dataset: str, digest: str) -> bool:
    """Log the data set as the run's input, unless it is; whether it had to be."""
    data = Input(dataset, digest[:_DIGEST], f"data/prepared/{dataset}")
    if (data.name, data.digest) in run.inputs:
        return False
    books.put_input(run.run_id, data)
    return True


def offer_table(books: Books, place: str, kind: str) -> None:
    """The saved view of a data set's runs, unless it has one."""
    books.offer(place, saved_view.TAG, saved_view.view(kind))


def source_tags() -> dict[str, str]:
    """Stage, commit and, for MLflow's own columns, source and user."""
    tags = {**provenance.stage_tags(), **provenance.commit_tags()}
    tags |= {"mlflow.source.type": "LOCAL", "mlflow.source.name": "genline"}
    if "genline.commit" in tags:
        tags["mlflow.source.git.commit"] = tags["genline.commit"]
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def sweep(books: Books, place: str, experiment: str) -> int:
    """Close the runs that say RUNNING and whose process is gone; their number."""
    dead = 0
    for run in books.runs(place, {EXPERIMENT: experiment}):
        if run.status == "RUNNING" and not at_work(books, run):
            books.set_status(run.run_id, "KILLED")
            dead += 1
    return dead


def process_tags() -> dict[str, str]:
    """Which process writes a run: host, number and start, since numbers are given out again."""
    started = psutil.Process().create_time()
    return {_PROCESS: f"{socket.gethostname()}:{os.getpid()}", _STARTED: f"{started:.2f}"}


def alive(found: Entry) -> bool:
    """Whether a run's process is still at work on this host."""
    if found.status != "RUNNING":
        return False
    host, _, process = found.tags.get(_PROCESS, "").rpartition(":")
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
    told = found.tags.get(_STARTED)
    return told is None or abs(started - float(told)) < _SAME_START


def _lately(books: Books, run: Entry, resumed: bool = False) -> bool:
    """Whether another host's run has said something lately: it is taken to be at work.

    Lately is within a day. For one with whose recipe a training begins now (resumed) it is within
    ten minutes, or thrice its own longest silence: a container that took over its checkpoint is
    far more likely than the same training twice, and rows of the curve come by the minute.
    """
    host = run.tags.get(_PROCESS, "").rpartition(":")[0]
    if not host or host == socket.gethostname():
        return False
    history = books.history(run.run_id, "train/loss")
    told = sorted([run.started, *(point.when for point in history)])
    patience = _GONE_SECONDS
    if resumed and history:
        silences = [(b - a) / 1000 for a, b in pairwise(told)]
        patience = max(_TAKEN_SECONDS, 3 * max(silences))
    return bool(time.time() - told[-1] / 1000 < patience)


def at_work(books: Books, run: Entry, resumed: bool = False) -> bool:
    """Whether a run may still be written to by its own training, here or on another host.

    resumed: a training with the run's recipe begins now, and would go on with it.
    """
    return alive(run) or (run.status == "RUNNING" and _lately(books, run, resumed))


def _origin(files: Files) -> dict[str, str]:
    tags = source_tags()
    commit = provenance.commit_of_model(files.experiment)
    if commit is not None:
        tags |= {"genline.commit": commit, "genline.dirty": "false"}
        tags["mlflow.source.git.commit"] = commit
    return tags


def _find(books: Books, place: str, files: Files) -> Entry | None:
    tags = {EXPERIMENT: files.experiment}
    found = books.runs(place, {**tags, MODEL: str(files.model)})
    if found:
        return found[0]
    for run in books.runs(place, tags) if files.curve else []:
        if MODEL not in run.tags and not at_work(books, run) and _agrees(books, run, files):
            return run
    return None


def _agrees(books: Books, run: Entry, files: Files) -> bool:
    """Whether all that a cut-off run holds is a part of what the files say."""
    flat = provenance.flatten(files.params)
    if run.tags.get(DATA) != files.data:
        return False
    if any(flat.get(key) != value for key, value in run.params.items()):
        return False
    points = {(f"train/{k}", int(row["step"])): v for row in files.curve for k, v in row.items()}
    return all(
        # The file keeps seven digits.
        points.get((key, point.step)) == float(f"{point.value:.7g}")
        for key in run.metrics
        if key not in _UNFILED
        for point in books.history(run.run_id, key)
    )


@dataclass
class _View:
    books: Books
    run: Entry
    files: Files
    added: list[str] = field(default_factory=list)

    def complete(self) -> None:
        files = self.files
        self._say(put_params(self.books, self.run, files.params), "parameter")
        self._curve()
        if files.data is not None and put_dataset(self.books, self.run, files.dataset, files.data):
            self.added.append("data set")
        if files.evaluation is not None:
            self._evaluation(files.evaluation)
            offer_table(self.books, self.run.place, files.evaluation["kind"])
        self._artifacts()
        self._tags()
        if self.run.status != "FINISHED" and not at_work(self.books, self.run):
            self.books.set_status(self.run.run_id, "FINISHED")
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
        for key in {key for key, _ in points} & set(self.run.metrics):
            for told in self.books.history(self.run.run_id, key):
                points.pop((key, told.step), None)
        self._log([Point(key, value, step) for (key, step), value in points.items()])
        self._say(len(points), "curve point")

    def _evaluation(self, evaluation: Mapping[str, Any]) -> None:
        held = self.run.metrics
        new = {
            name: metric["value"]
            for name, metric in evaluation["metrics"].items()
            if held.get(name) != metric["value"]
        }
        self._log([Point(name, value, 0) for name, value in new.items()])
        self._say(len(new), "metric")

    def _log(self, points: list[Point]) -> None:
        if points:
            self.books.log(self.run.run_id, points)

    def _tags(self) -> None:
        """Those that identify the model, last of all: they say that the rest is there."""
        files, held = self.files, self.run.tags
        wanted = {EXPERIMENT: files.experiment, MODEL: str(files.model)}
        wanted[NAME] = run_name(files.experiment, str(files.model))
        if files.data is not None:
            wanted[DATA] = files.data
        if files.evaluation is not None:
            wanted |= evaluation_tags(files.evaluation)
        # Compared as they are kept, or a long one would be sent again each time.
        kept = {key: value[:TAG_LENGTH] for key, value in wanted.items()}
        new = {key: value for key, value in kept.items() if held.get(key) != value}
        if new:
            self.books.log(self.run.run_id, tags=new)
            if "run" not in self.added:
                self._say(len(new), "tag")

    def _artifacts(self) -> None:
        held: dict[str, str] = json.loads(self.run.tags.get(_ARTIFACTS, "{}"))
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
            self.books.put_files(self.run.run_id, Path(folder))
        tags = {_ARTIFACTS: as_tag(held | digests)}
        if any(name.startswith("images/") for name in new):
            tags["mlflow.loggedImages"] = "True"
        self.books.log(self.run.run_id, tags=tags)
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

        when = int(time.time() * 1000) if again else self.run.started
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
