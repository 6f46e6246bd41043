"""Markdown that a person reads in MLflow: a run's figures, and a model's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHOWN = 12


def evaluation_markdown(evaluation: Mapping[str, Any]) -> str:
    """The metrics with intervals and floors, and the health checks, as two tables."""
    return f"{_metrics(evaluation)}\n\n{_health(evaluation)}\n"


def model_card(evaluation: Mapping[str, Any], decision: str, reason: str) -> str:
    """What a model version is, what it learned from, how good it is, and how to load it."""
    name, digests = evaluation["experiment"], evaluation["digests"]
    kind, family = evaluation["kind"], evaluation["family"].replace("_", " ")
    data = f"`{evaluation['dataset']}` (prepared data `{digests['data'][:_SHOWN]}`)"
    content = "`image`: a PNG in base64" if kind == "image" else "`text`"
    temperature = ", `temperature` (1.0)" if kind == "text" else ""
    return f"""# {name}

A {family} that draws {kind}s like those of {data}.
Weights `{digests["model"][:_SHOWN]}`. **{decision.capitalize()}**: {reason}.

## How good it is

{_metrics(evaluation)}

The judge is fitted on the training split alone (`{digests["evaluator"][:_SHOWN]}`); the figures
are on the test split.

{_health(evaluation)}

## Limits

It knows only what its training data shows and repeats that data's biases and mistakes. Distances
are measured by this project's own judge: compare them between models of this project, not with
figures published elsewhere.

## How to load it

```python
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model("models:/{name}@{decision}")
model.predict(pd.DataFrame({{"n": [16], "seed": [0]}}))
```

Each input row asks for `n` samples from `seed`; optional columns: `variant`, the name of one of
the model's samplers{temperature}. Each output row is one sample: `request`, the input row it
answers, and {content}.
"""


def _metrics(evaluation: Mapping[str, Any]) -> str:
    lines = ["| metric | value | 95 % interval | floor | n | better |", "|---|---|---|---|---|---|"]
    for name, metric in evaluation["metrics"].items():
        title = f"{metric['title']} (`{name}`)"
        unit = f" {metric['unit']}" if metric["unit"] else ""
        floor = "" if metric["floor"] is None else f"{metric['floor']:.4g}"
        better = "" if metric["better"] == "none" else metric["better"]
        lines.append(
            f"| {_cell(title)} | {metric['value']:.4g}{_cell(unit)} "
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
    for mark in "\\|<>[]*":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split()) if not text.startswith(" ") else " " + " ".join(text.split())
