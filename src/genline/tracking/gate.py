"""The gate: whether a candidate becomes champion. Pure: records in, decision and reason out.

Each side's standard error is read off its 95 % interval as SE = (high − low) / (2 · 1.96). With
Δ the candidate's improvement (positive is better, whichever way the metric points), a candidate
replaces the champion only if

    Δ > margin + 1.96 · √(SE_candidate² + SE_champion²)

that is, if the 95 % interval of the difference lies beyond the margin. Both models are scored on
the same test items, so their errors are positively correlated at most and the test is
conservative: it may keep a champion that a paired test would have replaced, never the reverse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from genline.core.errors import ParamsError, nearest
from genline.tracking.config import Register

Outcome = Literal["champion", "challenger"]

_Z = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution
# What must be the same on both sides, and how it is told that it is not.
_COMPARABLE = {
    "data": "other data",
    "evaluator": "another evaluator",
    "protocol": "other settings of evaluate",
}
_SHOWN = 12  # hexadecimal digits of a digest in a sentence


@dataclass(frozen=True)
class Record:
    """What the gate knows of a model: ``reports/evaluation/<experiment>.json``, or a part of it.

    ``metrics`` holds at least value, low, high and better of each; ``health`` each check's
    ``passed`` and ``reason``; ``digests`` the model's, the data's, the evaluator's and
    the protocol's.
    """

    digests: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]
    health: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, evaluation: Mapping[str, Any]) -> Record:
        return cls(evaluation["digests"], evaluation["metrics"], evaluation["health"])

    def numbers(self, metric: str) -> dict[str, float] | None:
        """Value and interval of one metric, None where it has no finite figure."""
        found = self.metrics.get(metric)
        return {key: float(found[key]) for key in ("value", "low", "high")} if found else None


@dataclass(frozen=True)
class Decision:
    """``compared`` says whether the champion's numbers decided it."""

    outcome: Outcome
    reason: str
    compared: bool = False


def decide(candidate: Record, champion: Record | None, register: Register) -> Decision:
    """Champion or challenger, and why, in one sentence.

    A model never replaces itself, so the champion's own weights stay champion whatever a new
    evaluation says of them; the reason then tells of failed checks. Raises ParamsError when the
    metric of a healthy model was not evaluated, or has no better direction.
    """
    name = register.metric
    failed = "; ".join(
        f"{check}: {found['reason']}"
        for check, found in candidate.health.items()
        if not found["passed"]
    )
    # A diverged model has no finite figure; its health, not params.yaml, is then what is wrong.
    if name in candidate.metrics or not failed:
        _require(candidate, name)
    if champion is not None and champion.digests["model"] == candidate.digests["model"]:
        aside = f", though now a health check failed: {failed}" if failed else ""
        return Decision("champion", f"already champion: the weights are the same{aside}")
    if failed:
        return Decision("challenger", f"health check failed: {failed}")
    if champion is None:
        return Decision("champion", "no champion yet, and all health checks passed")
    for kind, words in _COMPARABLE.items():
        before, now = champion.digests[kind], candidate.digests[kind]
        if before != now:
            return Decision(
                "challenger",
                f"not comparable: the champion was scored with {words} "
                f"({before[:_SHOWN]}, not {now[:_SHOWN]}); evaluate it again with these, or "
                "remove the alias 'champion' to start afresh",
            )
    ours, theirs = candidate.numbers(name), champion.numbers(name)
    if ours is None or theirs is None:
        return Decision("challenger", f"not comparable: the champion has no {name}")
    lower_is_better = candidate.metrics[name]["better"] == "lower"
    return _compare(ours, theirs, lower_is_better, register)


def _require(candidate: Record, name: str) -> None:
    if name not in candidate.metrics:
        raise ParamsError(
            f"params.yaml: register.metric is '{name}', which was not evaluated; "
            f"{nearest(name, candidate.metrics)}"
        )
    if candidate.metrics[name]["better"] not in ("lower", "higher"):
        raise ParamsError(
            f"params.yaml: register.metric is '{name}', which has no better direction; "
            "choose a metric where lower or higher is better"
        )


def _compare(
    ours: Mapping[str, float],
    theirs: Mapping[str, float],
    lower_is_better: bool,
    register: Register,
) -> Decision:
    improvement = (theirs["value"] - ours["value"]) * (1 if lower_is_better else -1)
    noise = _Z * math.hypot(_standard_error(ours), _standard_error(theirs))
    figures = (
        f"{register.metric} {ours['value']:.4g} against the champion's {theirs['value']:.4g}, "
        f"noise ±{noise:.2g}" + (f", margin {register.margin:g}" if register.margin else "")
    )
    # Written so that a NaN anywhere keeps the champion.
    if improvement > register.margin + noise:
        return Decision("champion", f"better beyond the noise: {figures}", compared=True)
    word = "better" if improvement > 0 else "worse" if improvement < 0 else "no different"
    wanted = "but not beyond the noise" if improvement > 0 else "so not promoted"
    return Decision("challenger", f"{word}, {wanted}: {figures}", compared=True)


def _standard_error(numbers: Mapping[str, float]) -> float:
    return (numbers["high"] - numbers["low"]) / (2 * _Z)
