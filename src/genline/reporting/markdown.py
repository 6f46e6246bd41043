"""The report in short, fit for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from genline.reporting.gallery import kept_content
from genline.reporting.inputs import Dataset, Experiment
from genline.reporting.preparation import preparation
from genline.reporting.tables import Cell, Row, control_rows, metric_rows, together
from genline.reporting.validation.skeleton import visible
from genline.reporting.verdict import judge

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~@&])")


def render(datasets: Sequence[Dataset]) -> str:
    """Verdict, one table a dataset, decisions and failed health checks, as GitHub's Markdown."""
    blocks = ["# genline report"]
    for dataset in datasets:
        blocks += _dataset(dataset)
    blocks.append(_health(datasets))
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """``text`` as itself on one line: no markup, no table cell, no mention of a person."""
    # A mention is found even behind a backslash; an entity is not.
    return _SPECIAL.sub(_escaped, " ".join(visible(text).split()))


def _escaped(found: re.Match[str]) -> str:
    entities = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;", "#": "&#35;"}
    return entities.get(found.group(), f"\\{found.group()}")


def _dataset(dataset: Dataset) -> list[str]:
    title = f"## {escape(dataset.name)}"
    validation = dataset.validation
    met = sum(1 for e in validation["expectations"] if e["success"])
    prepared = preparation(dataset.kind, validation["items"], dataset.prepared)
    data = (
        f"Data: {met} of {len(validation['expectations'])} expectations met. "
        f"{escape(prepared.sentence)}"
    )
    if not dataset.experiments:
        return [title, "No experiment uses this dataset.", data]
    verdict = judge(dataset.name, dataset.kind, dataset.records)
    rows, _ = metric_rows(dataset.kind, dataset.experiments)
    decisions = "\n".join(
        f"- **{escape(e.name)}**: {escape(e.promotion['decision'])} "
        f"({escape(e.promotion['reason'])})"
        for e in dataset.experiments
    )
    return [
        title,
        f"**{escape(verdict.headline)}.** {escape(verdict.sentence)}",
        _table([e.name for e in dataset.experiments], rows),
        *[block for e in dataset.experiments for block in _control(e)],
        *[
            f"What the latent code of **{escape(name)}** keeps: {found.phrase} of the content. "
            f"{escape(found.sentence)}"
            for name, found in kept_content(dataset)
        ],
        decisions,
        data,
    ]


def _control(experiment: Experiment) -> list[str]:
    """A text GAN beside its control, and what their difference says; nothing for other models."""
    pairs, versus = control_rows(experiment)
    if not (pairs or versus):
        return []
    name = escape(experiment.name)
    outcomes = "".join(
        f" {name} is {outcome}: "
        f"{'; '.join(f'{escape(v.title)} {v.cell.value} ({v.cell.interval})' for v in found)}."
        for outcome, found in together(versus)
    )
    intro = (
        f"**{name} against its control**, as many further steps of maximum likelihood from the "
        f"same weights.{outcomes}"
    )
    lines = [f"| metric | {name} | its control |", "|---|---:|---:|"]
    for pair in pairs:
        cells = [_figure(cell) for cell in (pair.own, pair.control)]
        unit = f", {escape(pair.unit)}" if pair.unit else ""
        title = f"{escape(pair.title)}{unit} {pair.arrow[:1]}".rstrip()
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return [intro, "\n".join(lines)] if pairs else [intro]


def _table(names: Sequence[str], rows: Sequence[Row]) -> str:
    lines = [
        f"| metric | {' | '.join(map(escape, names))} | floor |",
        f"|---|{'---:|' * (len(names) + 1)}",
    ]
    for row in rows:
        cells = []
        for cell in row.cells:
            if cell is None:
                cells.append("–")
                continue
            cells.append(_figure(cell))
        cells += [""] * (len(names) - len(cells))
        arrow = row.arrow[:1]
        unit = f", {escape(row.unit)}" if row.unit else ""
        tag = " (baseline)" if row.baseline else ""
        title = f"{escape(row.title)}{unit}{tag} {arrow}".rstrip()
        lines.append(f"| {title} | {' | '.join(cells)} | {row.floor or '–'} |")
    return "\n".join(lines)


def _figure(cell: Cell) -> str:
    value = f"**{cell.value}**" if cell.clear else cell.value
    return f"{value} ({cell.interval})" if cell.interval else value


def _health(datasets: Sequence[Dataset]) -> str:
    failed = [
        f"- **{escape(e.name)}**, {escape(name.replace('_', ' '))}: {escape(reason)}"
        for d in datasets
        for e in d.experiments
        for name, reason in e.failed_checks
    ]
    if not failed:
        return "All health checks passed."
    return "\n".join(["## Failed health checks", "", *failed])
