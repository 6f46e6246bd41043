"""Who won on a dataset, by how much, and whether that is more than noise.

Pure functions of evaluation records (``reports/evaluation/<experiment>.json``); cheap to import.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genline.evaluation.comparison import Difference, Figure, NotComparableError, difference
from genline.evaluation.items import Items
from genline.reporting.numbers import format_interval, format_number, interval_decimals

# The one metric that every model of a kind has, whatever its family.
PRIMARY = {"image": "fid", "text": "frechet_embedding_distance"}

Better = Literal["lower", "higher", "none"]


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its 95 % interval, as shown; its error is on record elsewhere."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return format_number(self.value, interval_decimals(self.low, self.high))


@dataclass(frozen=True)
class Standing:
    """An experiment's place on its dataset; ``estimate`` is None where the figure is missing."""

    experiment: str
    estimate: Estimate | None
    failed_checks: tuple[str, ...]

    @property
    def eligible(self) -> bool:
        """Only a healthy model with a figure can win: copied data has an excellent distance."""
        return self.estimate is not None and not self.failed_checks


@dataclass(frozen=True)
class Verdict:
    """The outcome on one dataset: standings best first, those that cannot win behind."""

    dataset: str
    kind: str
    metric: str
    title: str
    unit: str
    floor: float | None
    standings: tuple[Standing, ...]
    difference: Difference | None  # of the first two that are eligible, leader minus runner-up

    @property
    def eligible(self) -> tuple[Standing, ...]:
        return tuple(s for s in self.standings if s.eligible)

    @property
    def leader(self) -> Standing | None:
        return self.eligible[0] if self.eligible else None

    @property
    def decided(self) -> bool:
        """Whether the leader leads beyond noise."""
        return self.difference is not None and self.difference.beyond_noise

    @property
    def distance_to_floor(self) -> str:
        """A sentence that holds the leader against the floor; empty where there is none."""
        if self.leader is None or self.leader.estimate is None or not self.floor:
            return ""
        floor = format_number(self.floor)
        ratio = f"{self.leader.estimate.value / self.floor:,.1f}"
        return (
            f"Real data against real data scores {floor}, the floor: "
            f"{self.leader.experiment} stands at {ratio} times it."
        )

    @property
    def headline(self) -> str:
        """The outcome in a few words."""
        if self.leader is None:
            return "No winner: no model has both a figure and all its health checks passed"
        if self.difference is None:
            return f"{self.leader.experiment} stands alone"
        if self.decided:
            return f"{self.leader.experiment} wins"
        return f"{self.leader.experiment} and {self.eligible[1].experiment} are level"

    @property
    def sentence(self) -> str:
        """The figures behind the headline."""
        if self.leader is None:
            return "; ".join(map(_why_not, self.standings)) + "."
        unit = f" {self.unit}" if self.unit else ""
        others = [s for s in self.standings if not s.eligible]
        aside = "".join(f" Out of the running: {_why_not(s)}." for s in others)
        if self.difference is None:
            first = f"{self.title} {self.leader.estimate}{unit}"
            return f"{first}; there is no other model to compare it with.{aside}"
        second = self.eligible[1]
        d = self.difference
        assert self.leader.estimate is not None and second.estimate is not None
        own, other, size = _adding_up(self.leader.estimate, second.estimate, d)
        ends = sorted(math.copysign(1, d.value) * end for end in (d.low, d.high))
        span = format_interval(ends[0], ends[1])
        outcome = "beyond noise" if d.beyond_noise else "within noise, so no winner is called"
        return (
            f"{self.title} {own}{unit} against {other}{unit} for {second.experiment}: "
            f"a difference of {size}{unit} (95 % interval {span}, {d.method}), {outcome}.{aside}"
        )


def estimate(metric: Mapping[str, Any]) -> Estimate:
    """The estimate in a metric's record."""
    return Estimate(metric["value"], metric["low"], metric["high"])


def judge(dataset: str, kind: str, records: Sequence[Mapping[str, Any]]) -> Verdict:
    """The verdict over a dataset's evaluation records on its kind's primary metric."""
    name = PRIMARY[kind]
    found = [r["metrics"][name] for r in records if name in r["metrics"]]
    better: Better = found[0]["better"] if found else "lower"
    sign = -1.0 if better == "higher" else 1.0

    def place(standing: Standing) -> tuple[bool, float, str]:
        value = standing.estimate.value if standing.estimate else math.inf
        return (not standing.eligible, sign * value, standing.experiment)

    standings = tuple(sorted((_standing(r, name) for r in records), key=place))
    figures = {r["experiment"]: r["metrics"].get(name) for r in records}
    contenders = [Figure(figures[s.experiment]) for s in standings if s.eligible]
    return Verdict(
        dataset=dataset,
        kind=kind,
        metric=name,
        title=found[0]["title"] if found else name,
        unit=found[0]["unit"] if found else "",
        floor=found[0]["floor"] if found else None,
        standings=standings,
        difference=difference(name, *contenders[:2]) if len(contenders) > 1 else None,
    )


def best(
    name: str, metrics: Sequence[Mapping[str, Any] | None], items: Sequence[Items | None]
) -> int | None:
    """Index of the metric that is better than each of the others beyond noise, None if none is.

    ``items``: the likelihoods item by item of each model, by which a likelihood figure is
    compared; without them none is called better. A missing metric (None) takes no part.
    """
    present = [(i, Figure(m, items[i])) for i, m in enumerate(metrics) if m is not None]
    if len(present) < 2 or present[0][1].metric["better"] == "none":
        return None
    sign = 1 if present[0][1].metric["better"] == "higher" else -1
    leader, figure = max(present, key=lambda entry: sign * entry[1].metric["value"])
    try:
        differences = [difference(name, figure, other) for i, other in present if i != leader]
    except NotComparableError:
        return None
    return leader if all(d.beyond_noise for d in differences) else None


def _adding_up(first: Estimate, second: Estimate, d: Difference) -> tuple[str, str, str]:
    """Two figures and their difference, with the fewest digits of which the third is the
    difference of the first two as shown."""
    spans = ((first.low, first.high), (second.low, second.high), (d.low, d.high))
    least = max(interval_decimals(low, high) or 0 for low, high in spans)
    for decimals in range(least, least + 3):
        shown = round(abs(round(first.value, decimals) - round(second.value, decimals)), decimals)
        if shown == round(abs(d.value), decimals):
            break
    values = (first.value, second.value, shown)
    own, other, size = (format_number(value, decimals) for value in values)
    return own, other, size


def _standing(record: Mapping[str, Any], metric: str) -> Standing:
    found = record["metrics"].get(metric)
    return Standing(
        record["experiment"],
        estimate(found) if found is not None else None,
        tuple(name for name, check in sorted(record["health"].items()) if not check["passed"]),
    )


def _why_not(standing: Standing) -> str:
    if standing.failed_checks:
        checks = ", ".join(name.replace("_", " ") for name in standing.failed_checks)
        return f"{standing.experiment} failed its health check ({checks})"
    return f"{standing.experiment} has no finite figure"
