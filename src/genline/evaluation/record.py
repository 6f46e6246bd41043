"""What an evaluation leaves: metrics with their intervals, health checks, and their JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Better = Literal["lower", "higher", "none"]

_NUMBERS = ("value", "low", "high", "count", "floor")


@dataclass(frozen=True)
class Metric:
    """One figure, with what a reader needs to judge it.

    ``low`` and ``high`` bound the 95 % interval, and ``interval`` says how it was made;
    ``floor`` is the same figure for held-out real data at the same counts, None where there is
    no such thing; ``unit`` is '' for pure numbers; ``about`` is one sentence.
    """

    title: str
    value: float
    low: float
    high: float
    count: int
    floor: float | None
    unit: str
    better: Better
    interval: str
    about: str

    @property
    def finite(self) -> bool:
        return all(math.isfinite(x) for x in (self.value, self.low, self.high, self.floor or 0.0))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Metric:
        return cls(**value)


@dataclass(frozen=True)
class Check:
    """A health check: whether it passed, and one sentence with the figures that decided it."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class Findings:
    """What a modality's suite finds out about a model.

    ``temperature_sweep`` has one row of figures a temperature, for text GANs; empty elsewhere.
    """

    metrics: dict[str, Metric]
    health: dict[str, Check]
    temperature_sweep: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Evaluation:
    """The whole record of one experiment, as ``reports/evaluation/<experiment>.json`` holds it."""

    experiment: str
    dataset: str
    family: str
    kind: str
    digests: dict[str, str]  # of the model, the data, the evaluator, the protocol
    findings: Findings

    @property
    def _reported(self) -> dict[str, Metric]:
        # JSON has no NaN; a figure that is not finite is left out, and the divergence check,
        # which sees it, says so.
        return {name: m for name, m in self.findings.metrics.items() if m.finite}

    def to_json(self) -> dict[str, Any]:
        return {
            "experiment": self.experiment,
            "dataset": self.dataset,
            "family": self.family,
            "kind": self.kind,
            "digests": self.digests,
            "metrics": {name: metric.to_json() for name, metric in self._reported.items()},
            "health": {name: asdict(check) for name, check in self.findings.health.items()},
            "temperature_sweep": self.findings.temperature_sweep,
        }

    def numbers(self) -> dict[str, dict[str, float | int]]:
        """The numbers alone, for ``dvc metrics``; a metric without a floor has no such key."""
        rows = {name: metric.to_json() for name, metric in self._reported.items()}
        return {
            name: {key: row[key] for key in _NUMBERS if row[key] is not None}
            for name, row in rows.items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evaluation:
        findings = Findings(
            {name: Metric.from_json(metric) for name, metric in value["metrics"].items()},
            {name: Check(**check) for name, check in value["health"].items()},
            list(value["temperature_sweep"]),
        )
        return cls(
            value["experiment"],
            value["dataset"],
            value["family"],
            value["kind"],
            dict(value["digests"]),
            findings,
        )
