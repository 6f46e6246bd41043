"""The difference a retraining makes, as Markdown: the text of its pull request.

Its ``before`` is what HEAD holds: the model committed before, which is the champion only where
the gate said so. The gate's own sentence is the comparison with the champion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genline.retraining import data_difference
from genline.retraining.outputs import Outputs, read_json
from genline.retraining.wording import fenced, number, plain, table

FILE = "reports/difference.md"
PICTURES = "reports/difference"
_BESIDE = "difference"  # the pictures' folder, seen from the file
_LINES = 8  # texts shown of each side
_WIDTH = 160  # characters of a text
_ARROWS = {"lower": " ↓", "higher": " ↑"}
_MEASURED = {"data": "data", "evaluator": "evaluator", "protocol": "settings or code of evaluate"}


@dataclass(frozen=True)
class Difference:
    """``text`` refers to the ``pictures``, which are kept beside it, by their names."""

    title: str
    text: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class _Experiment:
    """One experiment's records on both sides."""

    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    promotion: Mapping[str, Any] | None
    promotion_before: Mapping[str, Any] | None

    @property
    def retrained(self) -> bool:
        return self.before is None or self.before["digests"] != self.after["digests"]

    @property
    def decision(self) -> str:
        return str(self.promotion["decision"]) if self.promotion else "not judged"

    @property
    def verdict(self) -> str:
        return "to be champion" if self.decision == "champion" else "not promoted"


def compare(
    params: Mapping[str, Any], before: Outputs, after: Outputs, causes: Sequence[str] = ()
) -> Difference | None:
    """What changed from ``before`` to ``after``; None when no data and no model did.

    causes: what set it off, one clause each. Data are compared item by item, models by their
    evaluations, and the gate's decision stands with each model.
    """
    datasets = {d: data_difference.describe(d, before, after) for d in params["datasets"]}
    changed = {d: text for d, text in datasets.items() if text}
    found = (_experiment(name, before, after) for name in params["experiments"])
    models = [e for e in found if e is not None and e.retrained]
    if not changed and not models:
        return None
    pictures: dict[str, bytes] = {}
    title = _title(changed, models)
    blocks = [f"# {title}", _summary(changed, models)]
    if causes:
        blocks.append("Set off by:\n" + "\n".join(f"- {plain(cause)}" for cause in causes))
    for dataset, text in changed.items():
        blocks += [f"## Data: {plain(dataset)}", text]
    for model in models:
        blocks += [f"## Model: {plain(model.name)}", _gate(model), _metrics(model)]
        blocks += [part for part in (_health(model),) if part]
        blocks += _samples(model, before, after, pictures)
    return Difference(title, "\n\n".join(blocks) + "\n", pictures)


def to_files(difference: Difference) -> dict[str, bytes]:
    """The files that keep a difference, by their names in the project."""
    text = difference.text.replace(f"({PICTURES}/", f"({_BESIDE}/")
    return {FILE: text.encode(), **difference.pictures}


def from_files(text: str, pictures: Mapping[str, bytes]) -> Difference:
    """A difference as its files keep it."""
    title = text.partition("\n")[0].removeprefix("# ")
    return Difference(title, text.replace(f"({_BESIDE}/", f"({PICTURES}/"), pictures)


def _experiment(name: str, before: Outputs, after: Outputs) -> _Experiment | None:
    now = read_json(after, f"reports/evaluation/{name}.json")
    if now is None:
        return None
    was = read_json(before, f"reports/evaluation/{name}.json")
    promotions = (read_json(side, f"reports/promotion/{name}.json") for side in (after, before))
    return _Experiment(name, was, now, *promotions)


def _title(changed: Mapping[str, str], models: Sequence[_Experiment]) -> str:
    better = [m.name for m in models if m.decision == "champion"]
    what = f"{', '.join(better)} to be champion" if better else "no new champion"
    data = f"new data of {', '.join(changed)}" if changed else "new models"
    return f"Retrained: {data}, {what}"[:200]


def _summary(changed: Mapping[str, str], models: Sequence[_Experiment]) -> str:
    lines = [f"- **{plain(m.name)}**: {m.verdict}" for m in models]
    data = f"Data changed: {', '.join(map(plain, changed)) or 'none'}."
    return f"{data} Models made anew: {len(models)}.\n\n" + "\n".join(lines)


def _gate(model: _Experiment) -> str:
    if model.promotion is None:
        return "The gate has not judged it."
    champion = model.promotion.get("champion")
    against = (
        f" The champion has {plain(model.promotion['metric'])} {_interval(champion)}."
        if champion
        else ""
    )
    return f"**The gate: {model.verdict}.** {_sentence(model.promotion['reason'])}{against}"


def _sentence(text: str) -> str:
    said = plain(text)
    return f"{said[:1].upper()}{said[1:]}."


def _metrics(model: _Experiment) -> str:
    old: Mapping[str, Any] = model.before["metrics"] if model.before else {}
    rows = []
    for name, metric in {**old, **model.after["metrics"]}.items():
        unit = f", {plain(metric['unit'])}" if metric.get("unit") else ""
        title = f"{plain(metric['title'])}{unit}{_ARROWS.get(metric['better'], '')}"
        sides = (old.get(name), model.after["metrics"].get(name))
        floor = metric.get("floor")
        rows.append([title, *map(_interval, sides), number(floor) if floor is not None else "–"])
    text = table(["metric (95 % interval)", "before", "after", "floor"], rows)
    if model.before is None:
        return text
    text += f"\n\nBefore: the model committed before, {_standing(model.promotion_before)}."
    was, now = model.before["digests"], model.after["digests"]
    other = [word for key, word in _MEASURED.items() if was.get(key) != now.get(key)]
    if not other:
        return text
    return (
        f"{text}\n\nThe two columns were measured with other {', '.join(other)}: read them each "
        "for itself. The gate's own figures are of the same."
    )


def _standing(promotion: Mapping[str, Any] | None) -> str:
    if promotion is None:
        return "which the gate has not judged"
    if promotion["decision"] == "champion":
        return "which the gate found worth to be champion"
    return "which was not promoted: the champion is another one"


def _interval(metric: Mapping[str, Any] | None) -> str:
    if metric is None:
        return "–"
    value, low, high = (float(metric[key]) for key in ("value", "low", "high"))
    return f"{number(value)} ({number(low)} to {number(high)})"


def _health(model: _Experiment) -> str:
    failed = [
        f"- {plain(check.replace('_', ' '))}: {plain(found['reason'])}"
        for check, found in model.after["health"].items()
        if not found["passed"]
    ]
    return "\n".join(["Failed health checks:", "", *failed]) if failed else ""


def _samples(
    model: _Experiment, before: Outputs, after: Outputs, pictures: dict[str, bytes]
) -> list[str]:
    folder = f"reports/samples/{model.name}"
    blocks: list[str] = []
    for word, side in (("before", before), ("after", after)):
        texts, image = side.read(f"{folder}/samples.txt"), side.read(f"{folder}/samples.png")
        if texts is not None:
            lines = texts.decode(errors="replace").splitlines()[:_LINES]
            blocks += [f"Samples {word}:", fenced([line[:_WIDTH] for line in lines])]
        if image is not None:
            name = f"{PICTURES}/{model.name}-{word}.png"
            pictures[name] = image
            blocks.append(f"Samples {word}:\n\n![samples of {plain(model.name)} {word}]({name})")
    return blocks
