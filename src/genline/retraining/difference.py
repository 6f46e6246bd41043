"""The difference a retraining makes, as Markdown: the text of its pull request.

Data are compared with what HEAD holds, models with the champion: its figures as the gate had them,
measured on the same data by the same judge, and its own samples. Where there is no champion yet,
the samples before are those of the model that HEAD holds, if any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genline.retraining import data_difference
from genline.retraining.outputs import Outputs, read_json
from genline.retraining.wording import fenced, number, plain, table

FILE = "reports/difference.md"
PICTURES = "reports/difference"
# Of an experiment and the digest of a champion's weights: its samples by file name, if at hand.
SamplesOf = Callable[[str, str], Mapping[str, bytes]]
_BESIDE = "difference"  # the pictures' folder, seen from the file
_LINES = 8  # texts shown of each side
_WIDTH = 160  # characters of a text
_DIGEST = 12  # hexadecimal digits of a model's digest
_ARROWS = {"lower": " ↓", "higher": " ↑"}
_SAMPLES = ("samples.txt", "samples.png")


@dataclass(frozen=True)
class Difference:
    """``text`` refers to the ``pictures``, which are kept beside it, by their names."""

    title: str
    text: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class _Experiment:
    """One experiment's records: what HEAD holds, what was made, and what the gate said of it."""

    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    promotion: Mapping[str, Any] | None

    @property
    def retrained(self) -> bool:
        return self.before is None or self.before["digests"] != self.after["digests"]

    @property
    def decision(self) -> str:
        return str(self.promotion["decision"]) if self.promotion else "not judged"

    @property
    def verdict(self) -> str:
        return "to be champion" if self.decision == "champion" else "not promoted"

    @property
    def champion(self) -> str | None:
        """The digest of the champion that stood when the gate judged, if it is another model."""
        return self.promotion.get("against") if self.promotion else None

    @property
    def champion_is_before(self) -> bool:
        """Whether HEAD holds that champion."""
        return self.before is not None and self.before["digests"]["model"] == self.champion


def compare(
    params: Mapping[str, Any], before: Outputs, after: Outputs, champions: SamplesOf
) -> Difference | None:
    """What changed from ``before`` to ``after``; None when no data and no model did.

    Data are compared item by item, models by their evaluations, and the gate's decision stands
    with each model. ``champions`` gives samples of those that ``before`` does not hold.
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
    for dataset, text in changed.items():
        blocks += [f"## Data: {plain(dataset)}", text]
    for model in models:
        blocks += [f"## Model: {plain(model.name)}", _gate(model), _metrics(model)]
        blocks += [part for part in (_health(model),) if part]
        blocks += _samples(model, before, after, champions, pictures)
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
    return _Experiment(name, was, now, read_json(after, f"reports/promotion/{name}.json"))


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
    return f"**The gate: {model.verdict}.** {_sentence(model.promotion['reason'])}"


def _sentence(text: str) -> str:
    said = plain(text)
    return f"{said[:1].upper()}{said[1:]}."


def _metrics(model: _Experiment) -> str:
    champion, words = _champion(model)
    rows = []
    for name, metric in model.after["metrics"].items():
        unit = f", {plain(metric['unit'])}" if metric.get("unit") else ""
        title = f"{plain(metric['title'])}{unit}{_ARROWS.get(metric['better'], '')}"
        floor = metric.get("floor")
        figures = [_interval(champion.get(name)), _interval(metric)]
        rows.append([title, *figures, number(floor) if floor is not None else "–"])
    heads = ["metric (95 % interval)", "champion", "candidate", "floor"]
    return f"{table(heads, rows)}\n\n{words}"


def _champion(model: _Experiment) -> tuple[Mapping[str, Any], str]:
    """The champion's figures by metric, and what they are."""
    digest = model.champion
    if model.promotion is None:
        return {}, "Champion: not compared, since the gate has not judged the candidate."
    if digest is None:
        same = str(model.promotion["reason"]).startswith("already champion")
        word = "the candidate itself" if same else "none stood when the candidate was judged"
        return {}, f"Champion: {word}."
    shown = f"Champion: the weights `{digest[:_DIGEST]}`"
    figures = model.promotion.get("champion_metrics")
    if figures:
        return figures, (
            f"{shown}, measured on the same data, by the same judge and with the same settings as "
            "the candidate."
        )
    if model.champion_is_before and model.before is not None:
        return model.before["metrics"], (
            f"{shown}, with its figures of before, measured on other data, by another judge or "
            "with other settings: read each column for itself."
        )
    return {}, f"{shown}, which could not be measured as the candidate was."


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
    model: _Experiment,
    before: Outputs,
    after: Outputs,
    champions: SamplesOf,
    pictures: dict[str, bytes],
) -> list[str]:
    """Samples of the champion, or of what HEAD holds where there is none, and of the candidate."""
    folder = f"reports/samples/{model.name}"
    if model.champion is None or model.champion_is_before:
        earlier = _held(before, folder)
    else:
        earlier = champions(model.name, model.champion)
    title = "before" if model.champion is None else "before, of the champion"
    blocks = _shown(model.name, title, "before", earlier, pictures)
    if model.champion is not None and not blocks:
        blocks = ["Samples before, of the champion: not at hand."]
    return blocks + _shown(model.name, "after", "after", _held(after, folder), pictures)


def _held(side: Outputs, folder: str) -> Mapping[str, bytes]:
    found = {name: side.read(f"{folder}/{name}") for name in _SAMPLES}
    return {name: content for name, content in found.items() if content is not None}


def _shown(
    experiment: str,
    title: str,
    word: str,
    samples: Mapping[str, bytes],
    pictures: dict[str, bytes],
) -> list[str]:
    blocks: list[str] = []
    if "samples.txt" in samples:
        lines = samples["samples.txt"].decode(errors="replace").splitlines()[:_LINES]
        blocks += [f"Samples {title}:", fenced([line[:_WIDTH] for line in lines])]
    if "samples.png" in samples:
        name = f"{PICTURES}/{experiment}-{word}.png"
        pictures[name] = samples["samples.png"]
        blocks.append(f"Samples {title}:\n\n![samples of {plain(experiment)} {word}]({name})")
    return blocks
