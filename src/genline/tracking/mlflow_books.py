"""The books behind MLflow's own client: any server, any database, any version of its tables."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genline.tracking.books import Entry, Input, Point, Told
from genline.tracking.store import Store, experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

_METRICS, _PAIRS = 1000, 100  # the most that MLflow takes at once


class MlflowBooks:
    """Implements :class:`genline.tracking.books.Books`."""

    def __init__(self, client: MlflowClient, store: Store) -> None:
        self._client, self._store = client, store

    def known(self, name: str) -> str | None:
        found = self._client.get_experiment_by_name(name)
        return None if found is None else str(found.experiment_id)

    def place(self, name: str) -> str:
        return experiment_id(self._client, self._store, name)

    def offer(self, place: str, key: str, value: str) -> None:
        if key not in self._client.get_experiment(place).tags:
            self._client.set_experiment_tag(place, key, value)

    def runs(self, place: str, tags: Mapping[str, str]) -> list[Entry]:
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        order = ["attributes.start_time DESC"]
        return [_entry(r) for r in self._client.search_runs([place], wanted, order_by=order)]

    def run(self, run_id: str) -> Entry:
        return _entry(self._client.get_run(run_id))

    def begin(self, place: str, name: str, tags: Mapping[str, str]) -> Entry:
        return _entry(self._client.create_run(place, tags=dict(tags), run_name=name))

    def set_status(self, run_id: str, status: str) -> None:
        if status == "RUNNING":
            self._client.update_run(run_id, status=status)
        else:
            self._client.set_terminated(run_id, status)

    def log(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        for start in range(0, len(points), _METRICS):
            part = points[start : start + _METRICS]
            metrics = [Metric(p.key, p.value, now, p.step) for p in part]
            self._client.log_batch(run_id, metrics=metrics)
        given = [Param(key, value) for key, value in (params or {}).items()]
        for start in range(0, len(given), _PAIRS):
            self._client.log_batch(run_id, params=given[start : start + _PAIRS])
        if tags:
            self._client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def history(self, run_id: str, key: str) -> list[Told]:
        found = self._client.get_metric_history(run_id, key)
        return [Told(point.step, point.value, point.timestamp) for point in found]

    def put_input(self, run_id: str, data: Input) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"tags": {"path": data.path}})
        dataset = Dataset(data.name, data.digest, "code", source)
        context = InputTag("mlflow.data.context", "train")
        self._client.log_inputs(run_id, [DatasetInput(dataset, [context])])

    def put_files(self, run_id: str, folder: Path) -> None:
        self._client.log_artifacts(run_id, str(folder))


def _entry(run: MlflowRun) -> Entry:
    info, data = run.info, run.data
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    return Entry(
        str(info.run_id),
        str(info.experiment_id),
        str(info.status),
        int(info.start_time),
        dict(data.tags),
        dict(data.params),
        dict(data.metrics),
        tuple((i.dataset.name, i.dataset.digest) for i in inputs),
    )
