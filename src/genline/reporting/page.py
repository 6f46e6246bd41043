"""The report as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genline.reporting.charts import Point
from genline.reporting.curves import Panel, sweep_panel, training_panels
from genline.reporting.dots import Dots, Entry, dot_chart
from genline.reporting.gallery import gallery
from genline.reporting.inputs import Dataset, Experiment
from genline.reporting.preparation import preparation
from genline.reporting.provenance import flat, versions
from genline.reporting.tables import BASELINES, control_rows, metric_rows, together
from genline.reporting.validation.skeleton import environment
from genline.reporting.validation.wording import class_names, sentence
from genline.reporting.verdict import judge

_TEMPLATES = Path(__file__).parent / "templates"


def render(datasets: Sequence[Dataset]) -> str:
    """The page; the same bytes for the same records."""
    template = environment(_TEMPLATES).get_template("report.html")
    return template.render(
        datasets=[_dataset(d) for d in datasets],
        experiments=[e for d in datasets for e in d.experiments],
        versions=versions(),
    )


def _dataset(dataset: Dataset) -> dict[str, Any]:
    headline, rest = metric_rows(dataset.kind, dataset.experiments)
    unmet = [e for e in dataset.validation["expectations"] if not e["success"]]
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "experiments": dataset.experiments,
        "verdict": judge(dataset.name, dataset.kind, dataset.records),
        "standing": _standing(dataset),
        "perplexities": _perplexities(dataset),
        "gallery": gallery(dataset),
        "headline": headline,
        "rest": rest,
        "controls": [c for c in map(_control, dataset.experiments) if c is not None],
        "training": [
            (e, training_panels(e.name, dataset.kind, e.family, e.curve))
            for e in dataset.experiments
        ],
        "validation": {
            "total": dataset.validation["items"],
            "success": dataset.validation["success"],
            "count": len(dataset.validation["expectations"]),
            "unmet": [sentence(e) for e in unmet],
        },
        "classes": class_names(dataset.validation["source"]),
        "preparation": preparation(dataset.kind, dataset.validation["items"], dataset.prepared),
        "digests": _digests(dataset),
        "params": flat({k: v for k, v in dataset.params.items() if k != "kind"}),
        "experiment_params": [
            (e.name, flat({k: v for k, v in e.params.items() if k != "dataset"}))
            for e in dataset.experiments
        ],
    }


def _standing(dataset: Dataset) -> Dots | None:
    verdict = judge(dataset.name, dataset.kind, dataset.records)
    colours = {e.name: i for i, e in enumerate(dataset.experiments, start=1)}
    records = {e.name: e.record for e in dataset.experiments}
    entries = [
        (
            s.experiment,
            "" if s.eligible else "health check failed",
            records[s.experiment]["metrics"][verdict.metric],
            colours[s.experiment],
        )
        for s in verdict.standings
        if s.estimate is not None
    ]
    return dot_chart(entries, verdict.floor, "real data against real data")


def _perplexities(dataset: Dataset) -> Dots | None:
    """Each model's perplexity beside the language model's and the n-gram model's."""
    entries: list[Entry] = []
    baselines: dict[str, Any] = {}
    for colour, e in enumerate(dataset.experiments, start=1):
        metrics: Mapping[str, Any] = e.record["metrics"]
        baselines |= {name: metrics[name] for name in BASELINES if name in metrics}
        if "perplexity" in metrics:
            entries.append((e.name, "", metrics["perplexity"], colour))
    if not entries:
        return None
    lines: list[Entry] = [(m["title"], "baseline", m, 0) for _, m in sorted(baselines.items())]
    return dot_chart([*entries, *lines], None, "")


def _control(experiment: Experiment) -> dict[str, Any] | None:
    pairs, versus = control_rows(experiment)
    sweep = experiment.record.get("temperature_sweep") or []
    if not (pairs or versus or sweep):
        return None
    panel, outside = _sweep(experiment, sweep)
    return {
        "name": experiment.name,
        "pairs": pairs,
        "outcomes": together(versus),
        "panel": panel,
        "outside": outside,
        "sweep": sweep,
    }


def _sweep(
    experiment: Experiment, sweep: Sequence[Mapping[str, float]]
) -> tuple[Panel | None, bool | None]:
    """The chart, and whether the GAN is outside its control's curve beyond noise (None: the curve
    does not reach it)."""
    if not sweep:
        return None, None
    metrics = experiment.record["metrics"]
    if not {"forward_perplexity", "reverse_perplexity"} <= set(metrics):
        return sweep_panel(experiment.name, sweep, None), None
    forward, reverse = (metrics[f"{way}_perplexity"]["value"] for way in ("forward", "reverse"))
    own = Point(forward, reverse, "")
    beyond = metrics.get("reverse_perplexity_vs_control")
    outside = None if beyond is None else beyond["high"] < 0
    return sweep_panel(experiment.name, sweep, own), outside


def _digests(dataset: Dataset) -> list[tuple[str, str]]:
    if not dataset.experiments:
        return []
    shared = dataset.experiments[0].record["digests"]
    return [
        *((what, shared[what]) for what in ("data", "evaluator")),
        *((e.name, e.record["digests"]["model"]) for e in dataset.experiments),
    ]
