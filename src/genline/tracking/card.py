"""Markdown that a person reads in MLflow: a run's figures, and a model's card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genline.core.errors import GenlineError
from genline.core.files import read_json

_SHOWN = 12
_NOTE = "**By a person:** "
_MOST = 5000  # characters of a model version's description, the width of MLflow's column


def evaluation_markdown(evaluation: Mapping[str, Any]) -> str:
    """The metrics with intervals and floors, and the health checks, as two tables."""
    return f"{_metrics(evaluation)}\n\n{_health(evaluation)}\n"


def read_source(dataset: str) -> dict[str, Any] | None:
    """What a data set's source says of itself; None where the raw data is not here."""
    try:
        found = read_json(Path("data/raw", dataset, "source.json"))
    except (GenlineError, OSError):
        return None
    return found if isinstance(found, dict) else None


def model_card(
    evaluation: Mapping[str, Any],
    version: str,
    decision: str,
    reason: str,
    source: Mapping[str, Any] | None = None,
) -> str:
    """What a model version is, what it learned from, how good it is, and how to load it.

    ``source`` is what the data's source says of itself, its licence above all. As long as MLflow
    takes: of too many figures those are left out that have no better direction, then the last.
    """
    names = list(evaluation["metrics"])
    directed = [n for n in names if evaluation["metrics"][n]["better"] != "none"]
    kept = names
    while True:
        text = _card(evaluation, version, (decision, reason), source, kept)
        if len(text) <= _MOST or not kept:
            return text
        kept = directed if len(directed) < len(kept) else kept[:-1]


def _card(
    evaluation: Mapping[str, Any],
    version: str,
    outcome: tuple[str, str],
    source: Mapping[str, Any] | None,
    shown: list[str],
) -> str:
    decision, reason = outcome
    name, digests, kind = evaluation["experiment"], evaluation["digests"], evaluation["kind"]
    family, dataset = family_words(evaluation["family"]), evaluation["dataset"]
    optional = "`variant`, one of the model's samplers"
    if kind == "text":
        optional += ", and `temperature`"
    every = len(evaluation["metrics"])
    content = "`image`, a PNG in base64" if kind == "image" else "`text`"
    # MLflow shows a line break as one, so a paragraph is one line.
    parts = [
        f"# {name}",
        f"{family} that draws {kind}s like those of `{dataset}` "
        f"(prepared data `{digests['data'][:_SHOWN]}`, weights `{digests['model'][:_SHOWN]}`).",
        *([f"Data: {_data(source)}"] if source else []),
        f"When it was last judged, the gate made it **{decision}**: {_cell(reason)}.",
        "## How good it is",
        _metrics(evaluation, shown),
        f"On the test split, by a judge (`{digests['evaluator'][:_SHOWN]}`) that was fitted on "
        "the training split alone."
        + (" More figures: `evaluation.json` of its run." if len(shown) < every else ""),
        _health(evaluation),
        "## Limits",
        "It knows only what its training data shows, and repeats that data's biases and "
        "mistakes. Distances are measured by this project's own judge: compare them between "
        "models of this project, not with figures published elsewhere.",
        "## How to load it",
        "```python\n"
        "import mlflow, pandas as pd\n"
        f'model = mlflow.pyfunc.load_model("models:/{name}/{version}")'
        f"  # the best so far: models:/{name}@champion\n"
        'model.predict(pd.DataFrame({"n": [16], "seed": [0]}))\n'
        "```",
        f"Each input row asks for `n` samples from `seed`; columns for {optional} "
        "may be added. Each output row is one sample: `request`, the number of the input row it "
        f"answers, and {content}.",
    ]
    return "\n\n".join(parts) + "\n"


def noted(description: str, note: str) -> str:
    """A card with what a person last did above it."""
    lines = description.splitlines()
    rest = lines[2:] if lines and lines[0].startswith(_NOTE) else lines
    return "\n".join([f"{_NOTE}{_cell(note)}.", "", *rest])[:_MOST]


def with_note_of(before: str, description: str) -> str:
    """A new card under the note, if any, that a person's decision left on the card before."""
    lines = before.splitlines()
    if not lines or not lines[0].startswith(_NOTE):
        return description
    return f"{lines[0]}\n\n{description}"[:_MOST]


def family_words(family: str) -> str:
    """A family's name as the start of a sentence: ``image_vae`` is "An image VAE"."""
    kind, _, rest = family.partition("_")
    article = "An" if kind[0] in "aeiou" else "A"
    return f"{article} {kind} {rest.upper()}"


def _data(source: Mapping[str, Any]) -> str:
    """The data in a sentence or two: description, licence, versions."""
    description = _cell(str(source.get("description") or source.get("name") or "")).rstrip(".")
    licence = _cell(str(source.get("licence") or "not stated; ask who gave you the data"))
    return f"{description}. Licence: {licence.rstrip('.')}."


def _metrics(evaluation: Mapping[str, Any], shown: list[str] | None = None) -> str:
    lines = ["| metric | value | 95 % interval | floor | n | better |", "|---|---|---|---|---|---|"]
    for name, metric in evaluation["metrics"].items():
        if shown is not None and name not in shown:
            continue
        title = f"{metric['title']} (`{name}`)"
        unit = f" {_cell(metric['unit'])}" if metric["unit"] else ""
        floor = "" if metric["floor"] is None else f"{metric['floor']:.4g}"
        better = "" if metric["better"] == "none" else metric["better"]
        lines.append(
            f"| {_cell(title)} | {metric['value']:.4g}{unit} "
            f"| {metric['low']:.4g} to {metric['high']:.4g} | {floor} | {metric['count']} "
            f"| {better} |"
        )
    return "\n".join(lines)


def _health(evaluation: Mapping[str, Any]) -> str:
    lines = ["| health check | | reason |", "|---|---|---|"]
    for check, found in evaluation["health"].items():
        verdict = "passed" if found["passed"] else "**failed**"
        lines.append(f"| {check.replace('_', ' ')} | {verdict} | {_cell(found['reason'])} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text inside a Markdown table's cell, its own marks made harmless."""
    for mark in "\\|<[]*":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
