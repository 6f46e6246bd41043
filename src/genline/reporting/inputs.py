"""What the report is made from: the records of every dataset and experiment in params.yaml."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genline.core.errors import DataError
from genline.core.files import read_json
from genline.evaluation.items import Items, read_items
from genline.reporting.verdict import PRIMARY

_METRIC_KEYS = (
    *("title", "value", "standard_error", "low", "high", "count"),
    *("floor", "floor_low", "floor_high"),
    *("unit", "better", "interval", "about"),
)
_EVALUATION_KEYS = ("experiment", "dataset", "family", "kind", "digests", "metrics", "health")
_DIGEST_KEYS = ("model", "data", "evaluator")
_PROMOTION_KEYS = ("experiment", "decision", "reason", "metric", "candidate", "champion")
_VALIDATION_KEYS = ("dataset", "kind", "success", "items", "source", "expectations", "columns")
_PREPARED_KEYS = ("spec", "counts")
_SUFFIX = {"image": ".png", "text": ".txt"}


@dataclass(frozen=True)
class Experiment:
    """One experiment's results. ``curve`` maps a column of its training CSV to (step, value)s."""

    name: str
    dataset: str
    family: str
    params: Mapping[str, Any]
    record: Mapping[str, Any]
    promotion: Mapping[str, Any]
    items: Items  # likelihoods of the test items
    curve: Mapping[str, list[tuple[float, float]]]
    samples: Path
    reconstructions: Path | None
    variants: Mapping[str, Path]  # samples of the samplers that are not the default
    real: Path

    @property
    def failed_checks(self) -> list[tuple[str, str]]:
        """(name, reason) of each health check that failed."""
        health = sorted(self.record["health"].items())
        return [(name, check["reason"]) for name, check in health if not check["passed"]]


@dataclass(frozen=True)
class Dataset:
    name: str
    kind: str
    params: Mapping[str, Any]
    validation: Mapping[str, Any]
    prepared: Mapping[str, Any]  # the content of meta.json
    experiments: Sequence[Experiment]

    @property
    def records(self) -> list[Mapping[str, Any]]:
        return [e.record for e in self.experiments]


def read_all(params: Mapping[str, Any], root: Path = Path()) -> list[Dataset]:
    """Read every dataset and its experiments, both in the order of ``params``.

    Raises DataError naming the first file that is missing or wrong and the stage that writes it.
    """
    return [
        Dataset(
            name,
            section["kind"],
            section,
            _record(
                root / f"data/validated/{name}/result.json", f"validate@{name}", _VALIDATION_KEYS
            ),
            _record(root / f"data/prepared/{name}/meta.json", f"prepare@{name}", _PREPARED_KEYS),
            _comparable(
                [
                    _experiment(root, experiment, value, section["kind"])
                    for experiment, value in params["experiments"].items()
                    if value["dataset"] == name
                ],
            ),
        )
        for name, section in params["datasets"].items()
    ]


def _experiment(root: Path, name: str, params: Mapping[str, Any], kind: str) -> Experiment:
    evaluate = f"evaluate@{name}"
    path = root / f"reports/evaluation/{name}.json"
    record = _record(path, evaluate, _EVALUATION_KEYS)
    _require(path, evaluate, record["digests"], _DIGEST_KEYS, "'digests'")
    for metric, figures in record["metrics"].items():
        _require(path, evaluate, figures, _METRIC_KEYS, f"metric '{metric}'")
    folder, suffix = root / f"reports/samples/{name}", _SUFFIX[kind]
    reconstructions = folder / f"reconstructions{suffix}"
    return Experiment(
        name=name,
        dataset=params["dataset"],
        family=params["family"],
        params=params,
        record=record,
        promotion=_record(
            root / f"reports/promotion/{name}.json", f"register@{name}", _PROMOTION_KEYS
        ),
        items=read_items(_existing(root / f"reports/items/{name}.csv", evaluate)),
        curve=_curve(root / f"reports/training/{name}.csv", f"train@{name}"),
        samples=_existing(folder / f"samples{suffix}", evaluate),
        reconstructions=reconstructions if reconstructions.exists() else None,
        variants={
            path.stem.removeprefix("samples_"): path
            for path in sorted(folder.glob(f"samples_*{suffix}"))
        },
        real=_existing(folder / f"real{suffix}", evaluate),
    )


def _comparable(experiments: list[Experiment]) -> list[Experiment]:
    """``experiments``, all scored on the same data by the same evaluator, or DataError."""
    for experiment in experiments[1:]:
        for what in ("data", "evaluator"):
            first, found = experiments[0], experiment.record["digests"][what]
            if found != first.record["digests"][what]:
                raise DataError(
                    f"reports/evaluation/{experiment.name}.json: scored with another {what} than "
                    f"{first.name} on dataset '{experiment.dataset}'; run `dvc repro`"
                )
        counts = [_primary_count(e) for e in (experiments[0], experiment)]
        if None not in counts and counts[0] != counts[1]:
            raise DataError(
                f"reports/evaluation/{experiment.name}.json: scored with {counts[1]} items and "
                f"{experiments[0].name} with {counts[0]}; give both the same evaluate settings in "
                "params.yaml"
            )
    return experiments


def _primary_count(experiment: Experiment) -> int | None:
    """Items behind the figure that the verdict compares: its bias depends on them."""
    metric = experiment.record["metrics"].get(PRIMARY[experiment.record["kind"]])
    return None if metric is None else int(metric["count"])


def _existing(path: Path, stage: str) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: no such file; run `dvc repro {stage}`")
    return path


def _record(path: Path, stage: str, keys: Sequence[str]) -> dict[str, Any]:
    record = read_json(_existing(path, stage))
    _require(path, stage, record, keys, "the record")
    return dict(record)


def _require(path: Path, stage: str, value: Any, keys: Sequence[str], what: str) -> None:
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise DataError(f"{path}: {what} has no key '{key}'; run `dvc repro -f -s {stage}`")


def _curve(path: Path, stage: str) -> dict[str, list[tuple[float, float]]]:
    with _existing(path, stage).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "step" not in rows[0]:
        raise DataError(
            f"{path}: found no rows with a column 'step'; run `dvc repro -f -s {stage}`"
        )
    curve: dict[str, list[tuple[float, float]]] = {name: [] for name in rows[0] if name != "step"}
    for number, row in enumerate(rows, start=2):
        try:
            step = float(row["step"])
            for name in curve:
                if row[name]:
                    curve[name].append((step, float(row[name])))
        except (TypeError, ValueError):
            raise DataError(
                f"{path}, line {number}: found {list(row.values())}, wanted numbers or empty "
                f"cells; run `dvc repro -f -s {stage}`"
            ) from None
    return {name: points for name, points in curve.items() if points}
