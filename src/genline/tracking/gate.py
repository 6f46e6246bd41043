"""The gate: whether a candidate becomes champion. Pure: records in, decision and reason out.

With Δ the candidate's improvement (positive is better, whichever way the metric points), a
candidate replaces the champion only if the 95 % interval of Δ lies above the margin. The interval
is that of :mod:`genline.evaluation.comparison`:

- of a likelihood figure, the percentiles of a paired bootstrap: the test items are drawn again a
  thousand times, seeded, and each resample is scored under both models;
- of any other figure, Δ ± t standard errors of the difference, from the standard errors on record
  and with Student's t for the degrees of freedom these have together. For a Fréchet distance these
  leave the same groups of test items out on both sides; any others are taken as independent.

One candidate that is as good as the champion passes with a chance of 2.5 % as far as the standard
errors are right. Those of a Fréchet distance are biased at moderate counts, so there it may be 5 %
(:mod:`genline.evaluation.frechet_jackknife`). Of many such candidates some will pass: the gate does
not correct for how often it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from genline.core.errors import ParamsError, nearest
from genline.evaluation.comparison import Difference, Figure, NotComparableError, difference
from genline.evaluation.items import Items
from genline.tracking.config import Register

Outcome = Literal["champion", "challenger"]

# What must be the same on both sides, and how it is told that it is not.
_COMPARABLE = {
    "data": "other data",
    "evaluator": "another evaluator",
    "protocol": "other settings or code of evaluate",
}
_SHOWN = 12  # hexadecimal digits of a digest in a sentence


@dataclass(frozen=True)
class Record:
    """What the gate knows of a model: ``reports/evaluation/<experiment>.json``, or a part of it.

    ``metrics`` holds at least value, standard_error, low, high and better of each; ``health`` each
    check's ``passed`` and ``reason``; ``digests`` the model's, the data's, the evaluator's and
    the protocol's; ``items`` the likelihoods item by item, None where they are not to be had;
    ``vocabulary`` what a model of texts has in common with data of another one.
    """

    digests: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]
    health: Mapping[str, Mapping[str, Any]]
    items: Items | None = None
    vocabulary: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, evaluation: Mapping[str, Any], items: Items | None = None) -> Record:
        digests, metrics, health = (evaluation[key] for key in ("digests", "metrics", "health"))
        return cls(digests, metrics, health, items, evaluation.get("vocabulary"))

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


def decide(
    candidate: Record, champion: Record | None, register: Register, learned: str | None = None
) -> Decision:
    """Champion or challenger, and why, in one sentence.

    A model never replaces itself, so the champion's own weights stay champion whatever a new
    evaluation says of them; the reason then tells of failed checks. learned: why figures of a
    champion of other data would flatter it, None where they would not. Raises ParamsError when the
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
        return Decision("champion", "the first healthy version")
    for kind, words in _COMPARABLE.items():
        before, now = champion.digests[kind], candidate.digests[kind]
        if kind == "data" and before != now and learned is not None:
            return Decision("challenger", f"not comparable: {learned}")
        if before != now:
            return Decision(
                "challenger",
                f"not comparable: the champion was scored with {words} "
                f"({before[:_SHOWN]}, not {now[:_SHOWN]}) and could not be scored again with these "
                "(another image size, too few words in common, or no weights); look at both, and "
                "`genline promote` takes the better by hand",
            )
    if name not in champion.metrics:
        return Decision("challenger", f"not comparable: the champion has no {name}")
    ours = Figure(candidate.metrics[name], candidate.items)
    theirs = Figure(champion.metrics[name], champion.items)
    try:
        found = difference(name, ours, theirs)
        return _compare(found, ours.metric["better"], register, champion.vocabulary)
    except NotComparableError as error:
        return Decision(
            "challenger",
            f"not comparable: {error}; register the champion again with what `dvc repro` makes "
            "now, or remove the alias 'champion' to start afresh",
        )


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
    found: Difference, better: str, register: Register, vocabulary: Mapping[str, Any] | None
) -> Decision:
    sign = -1 if better == "lower" else 1
    improvement = sign * found.value
    low, high = sorted((sign * found.low, sign * found.high))
    figures = (
        f"{register.metric} {found.sides[0]:.4g} against the champion's "
        f"{found.sides[1]:.4g}, an improvement of {improvement:.2g} (95 % interval "
        f"{low:.2g} to {high:.2g}, {found.method})"
        + (f", margin {register.margin:g}" if register.margin else "")
        + (f"; {_in_common(vocabulary)}" if vocabulary else "")
    )
    # Written so that a NaN anywhere keeps the champion.
    if low > register.margin:
        return Decision("champion", f"better beyond the noise: {figures}", compared=True)
    word = "better" if improvement > 0 else "worse" if improvement < 0 else "no different"
    wanted = "but not beyond the noise" if improvement > 0 else "so not promoted"
    if low > 0:
        wanted = "but not by the margin"
    return Decision("challenger", f"{word}, {wanted}: {figures}", compared=True)


def _in_common(vocabulary: Mapping[str, Any]) -> str:
    texts, total, samples = (vocabulary[key] for key in ("texts", "total", "samples"))
    return (
        f"the champion has another vocabulary: it can spell {texts:,} of {total:,} test texts, and "
        f"{samples:.0%} of its samples can be spelled in this one; it is judged by these"
    )
