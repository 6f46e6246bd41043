"""Metrics of a dataset's experiments as rows: headline figures, the rest, baselines, controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genline.reporting.inputs import Experiment
from genline.reporting.numbers import (
    format_interval,
    format_number,
    interval_decimals,
)
from genline.reporting.verdict import PRIMARY, best

# In this order at the top; a metric not named here is folded in below, by name.
_HEADLINE = {
    "image": (
        *("fid", "class_kl", "memorisation", "copied"),
        *("nll", "bits_per_dimension", "kl", "decoder_use"),
    ),
    "text": (
        *("frechet_embedding_distance", "perplexity", "perplexity_per_word"),
        *("lm_perplexity", "ngram_perplexity"),
        *("forward_perplexity", "reverse_perplexity", "kl", "decoder_use"),
    ),
}
# Scores of simpler models on the same test items, known to every reader: lines to hold against.
BASELINES = (
    *("lm_perplexity", "ngram_perplexity"),
    *("lm_perplexity_per_word", "ngram_perplexity_per_word"),
)
_CONTROL, _VERSUS = "_control", "_vs_control"
_ARROWS = {"lower": "↓ lower is better", "higher": "↑ higher is better", "none": ""}


@dataclass(frozen=True)
class Cell:
    """A figure as shown; ``clear`` marks one better than all others beyond noise."""

    value: str
    interval: str
    clear: bool = False


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    about: str
    unit: str
    arrow: str
    cells: tuple[Cell | None, ...]  # one an experiment, None for no such metric; a baseline's one
    floor: str
    count: str
    method: str  # how the intervals were made
    baseline: bool


@dataclass(frozen=True)
class Control:
    """A text GAN's metric beside the same metric of its maximum-likelihood control."""

    title: str
    unit: str
    arrow: str
    own: Cell
    control: Cell


@dataclass(frozen=True)
class Versus:
    """The paired difference of a metric to the control's."""

    title: str
    about: str
    cell: Cell
    outcome: str


def metric_rows(kind: str, experiments: Sequence[Experiment]) -> tuple[list[Row], list[Row]]:
    """Headline rows and the rest, leaving out what the control section shows."""
    metrics = [e.record["metrics"] for e in experiments]
    names = {name for found in metrics for name in found if not _of_control(name)}
    headline = [name for name in _HEADLINE[kind] if name in names]
    # Variants of the primary metric stand right behind it.
    variants = sorted(n for n in names if n.startswith(f"{PRIMARY[kind]}_"))
    headline = [*headline[:1], *variants, *headline[1:]]
    rest = sorted(names - set(headline))
    return (
        [_row(name, experiments) for name in headline],
        [_row(name, experiments) for name in rest],
    )


def control_rows(experiment: Experiment) -> tuple[list[Control], list[Versus]]:
    """The headline figures a text GAN and its control have in common, and their differences.

    Empty for models without a control.
    """
    metrics = experiment.record["metrics"]
    pairs = [
        Control(
            metrics[name]["title"],
            metrics[name]["unit"],
            _ARROWS[metrics[name]["better"]],
            cell(metrics[name]),
            cell(metrics[name + _CONTROL]),
        )
        for name in _HEADLINE[experiment.record["kind"]]
        if name in metrics and name + _CONTROL in metrics
    ]
    versus = [
        Versus(m["title"], m["about"], cell(m), _outcome(m))
        for name, m in sorted(metrics.items())
        if name.endswith(_VERSUS)
    ]
    return pairs, versus


def cell(metric: Mapping[str, Any], clear: bool = False) -> Cell:
    decimals = interval_decimals(metric["low"], metric["high"])
    if decimals is None:
        return Cell(format_number(metric["value"]), "", clear)
    interval = format_interval(metric["low"], metric["high"])
    return Cell(format_number(metric["value"], decimals), interval, clear)


def _of_control(name: str) -> bool:
    return name.endswith((_CONTROL, _VERSUS))


def _row(name: str, models: Sequence[Experiment]) -> Row:
    found = [e.record["metrics"].get(name) for e in models]
    items = [e.items for e in models]
    present = [m for m in found if m is not None]
    first = present[0]
    baseline = name in BASELINES
    leader = None if baseline else best(name, found, items)
    # By itself, so that one floor reads the same in every row and in the verdict.
    floors = {format_number(m["floor"]) for m in present if m["floor"] is not None}
    counts = {format_number(m["count"]) for m in present}
    cells = tuple(None if m is None else cell(m, i == leader) for i, m in enumerate(found))
    return Row(
        name=name,
        title=common([m["title"] for m in present]),
        about=_notes([(e.name, m["about"]) for e, m in zip(models, found, strict=True) if m]),
        unit=first["unit"],
        arrow=_ARROWS[first["better"]],
        cells=(cell(first),) if baseline else cells,
        floor=" / ".join(sorted(floors)),
        count=" / ".join(sorted(counts)),
        method=first["interval"],
        baseline=baseline,
    )


def common(titles: Sequence[str]) -> str:
    """The title of a row; where models come by the figure in different ways, up to the comma."""
    return titles[0] if len(set(titles)) == 1 else titles[0].partition(",")[0]


def _notes(notes: Sequence[tuple[str, str]]) -> str:
    """What a reader needs; by model where it is not the same of all."""
    if len({about for _, about in notes}) == 1:
        return notes[0][1]
    return " ".join(f"{name}: {about}" for name, about in notes)


def together(versus: Sequence[Versus]) -> list[tuple[str, list[Versus]]]:
    """The differences by what they say, so that nothing is said twice."""
    found: dict[str, list[Versus]] = {}
    for one in versus:
        found.setdefault(one.outcome, []).append(one)
    return list(found.items())


def _outcome(metric: Mapping[str, Any]) -> str:
    """What a difference (model minus control) says, given which direction is better."""
    if metric["low"] <= 0 <= metric["high"]:
        return "no different from its control beyond noise"
    above = metric["low"] > 0
    return (
        "better than its control, beyond noise"
        if above == (metric["better"] == "higher")
        else "worse than its control, beyond noise"
    )
