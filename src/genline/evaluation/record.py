"""What an evaluation leaves: metrics with their intervals, health checks, and their JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from genline.evaluation.intervals import Spread
from genline.evaluation.items import Items

Better = Literal["lower", "higher", "none"]

_NUMBERS = ("value", "low", "high", "count", "floor")


@dataclass(frozen=True)
class Floor:
    """A figure of real data: the mean over several sets of it, or its one value.

    ``low`` and ``high`` are the 95 % interval of one more such set, None where there is one set.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Metric:
    """One figure, with what a reader needs to judge it.

    ``standard_error`` is that of ``value`` as an estimate, and ``degrees`` its degrees of freedom,
    None for a bootstrap's, where they are as good as infinite; ``interval`` says what it covers and
    how it was made. ``low`` and ``high`` bound the 95 % interval, cut to what the figure can be,
    so no error may be read off them. ``floor`` is the same figure for real data at the same
    counts, None where there is no such thing; ``floor_low`` and ``floor_high`` are the ends of
    the 95 % interval of one more set of real data, None where one set is all there is. ``unit``
    is '' for pure numbers; ``about`` is one sentence. ``left_out`` holds the figure with each
    group of test items left out, where it was jackknifed over them: that part of its error is
    shared by every model scored on the same items.
    """

    title: str
    value: float
    standard_error: float
    low: float
    high: float
    count: int
    floor: float | None
    unit: str
    better: Better
    interval: str
    about: str
    floor_low: float | None = None
    floor_high: float | None = None
    left_out: tuple[float, ...] = ()
    degrees: float | None = None

    @property
    def finite(self) -> bool:
        numbers = (self.value, self.standard_error, self.low, self.high, self.floor or 0.0)
        return all(math.isfinite(x) for x in (*numbers, *self.left_out))

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"left_out": list(self.left_out)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Metric:
        return cls(**{**value, "left_out": tuple(value["left_out"])})


@dataclass(frozen=True)
class Description:
    """What a metric is called, which way is better, and the sentence a reader needs."""

    title: str
    better: Better
    about: str
    unit: str = ""

    def metric(
        self,
        value: float,
        spread: Spread,
        count: int,
        interval: str,
        floor: Floor | None = None,
        left_out: Sequence[float] = (),
    ) -> Metric:
        """The metric of a figure; see :class:`Metric`."""
        return Metric(
            title=self.title,
            value=value,
            standard_error=spread.standard_error,
            low=spread.low,
            high=spread.high,
            count=count,
            floor=floor.value if floor else None,
            unit=self.unit,
            better=self.better,
            interval=interval,
            about=self.about,
            floor_low=floor.low if floor else None,
            floor_high=floor.high if floor else None,
            left_out=tuple(left_out),
            degrees=spread.degrees if math.isfinite(spread.degrees) else None,
        )


def of_sampler(
    metrics: Mapping[str, Metric], variant: str, variants: Sequence[str]
) -> dict[str, Metric]:
    """``metrics`` under the names they are recorded by.

    Those of the default sampler, the first of ``variants``, are plain; those of another end in
    its name.
    """
    if variant == variants[0]:
        return dict(metrics)
    return {
        f"{name}_{variant}": replace(metric, title=f"{metric.title} ({variant})")
        for name, metric in metrics.items()
    }


@dataclass(frozen=True)
class Check:
    """A health check: whether it passed, and one sentence with the figures that decided it."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class OtherVocabulary:
    """What a model of texts has in common with data of another vocabulary than its own.

    It can spell ``texts`` of ``total`` test texts; of its samples the share ``samples`` can be
    spelled in the data's vocabulary, of the worst sampler where it has several.
    """

    texts: int
    total: int
    samples: float


@dataclass(frozen=True)
class Findings:
    """What a modality's suite finds out about a model.

    ``temperature_sweep`` has one row of figures a temperature, for text GANs; empty elsewhere.
    ``items`` are the likelihoods item by item, which have a file of their own. ``vocabulary`` is
    there where the data has another one than the model: the figures are then of what both can
    spell (:mod:`genline.evaluation.text.vocabularies`).
    """

    metrics: dict[str, Metric]
    health: dict[str, Check]
    temperature_sweep: list[dict[str, float]] = field(default_factory=list)
    items: Items | None = field(default=None, compare=False)
    vocabulary: OtherVocabulary | None = None


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
        found = self.findings
        record = {
            "experiment": self.experiment,
            "dataset": self.dataset,
            "family": self.family,
            "kind": self.kind,
            "digests": self.digests,
            "metrics": {name: metric.to_json() for name, metric in self._reported.items()},
            "health": {name: asdict(check) for name, check in found.health.items()},
            "temperature_sweep": found.temperature_sweep,
        }
        if found.vocabulary is not None:
            record["vocabulary"] = asdict(found.vocabulary)
        return record

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
            vocabulary=OtherVocabulary(**value["vocabulary"]) if "vocabulary" in value else None,
        )
        return cls(
            value["experiment"],
            value["dataset"],
            value["family"],
            value["kind"],
            dict(value["digests"]),
            findings,
        )
