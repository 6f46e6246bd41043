"""The validation page: what was expected of a dataset, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genline.core.files import write_text
from genline.reporting.numbers import format_share
from genline.reporting.validation import histogram
from genline.reporting.validation.items import OFFENDERS, Shown
from genline.reporting.validation.skeleton import environment, plain
from genline.reporting.validation.wording import COLUMNS, sentence

# What an expectation that is not met does, by its severity in the suite.
_CONSEQUENCES = {"fail": "stops the line", "warn": "warns only"}


def write_page(
    result: Mapping[str, Any],
    folder: Path,
    items: Mapping[str, Shown] | None = None,
    examples: Sequence[str] = (),
) -> None:
    """Write ``folder/index.html`` from a ``result.json`` (docs/architecture.md).

    items: those that can be shown, by name; examples: the names of the typical ones.
    """
    write_text(Path(folder) / "index.html", render(result, items, examples))


def render(
    result: Mapping[str, Any],
    items: Mapping[str, Shown] | None = None,
    examples: Sequence[str] = (),
) -> str:
    """The page as HTML: one self-contained file, the same bytes for the same arguments."""
    shown = items or {}
    rows = [_row(e, shown) for e in result["expectations"]]
    failed = [r for r in rows if not r["success"]]
    template = environment().get_template("validation.html")
    return template.render(
        dataset=result["dataset"],
        kind=result["kind"],
        items=result["items"],
        success=result["success"],
        rows=sorted(rows, key=lambda r: r["success"]),
        failed=failed,
        examples=[shown[name] for name in examples if name in shown],
        columns=[_column(c) for c in result["columns"]],
        source=_flatten(result["source"]),
        chart=(histogram.WIDTH, histogram.HEIGHT),
    )


def _row(expectation: Mapping[str, Any], shown: Mapping[str, Shown]) -> dict[str, Any]:
    found = list(expectation["offending"] or [])
    named = [{**o, "shown": shown.get(str(o["item"]))} for o in found[:OFFENDERS]]
    return {
        "sentence": sentence(expectation),
        "type": expectation["type"],
        "column": expectation["column"],
        "consequence": _CONSEQUENCES[expectation["severity"]],
        "success": expectation["success"],
        "checked": expectation["checked"],
        "unexpected": expectation["unexpected"],
        "share": format_share(expectation["unexpected"] or 0, expectation["checked"] or 0),
        "observed": expectation["observed"],
        "offending": named,
        "unshown": max(0, (expectation["unexpected"] or 0) - len(named)),
    }


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    column = {**column, "words": COLUMNS.get(column["name"], "")}
    if "histogram" not in column:
        most = max((count for _, count in column["top"]), default=1) or 1
        top = [(value, count, round(100 * count / most, 1)) for value, count in column["top"]]
        return {**column, "numeric": False, "top": top}
    edges, counts = column["histogram"]["edges"], column["histogram"]["counts"]
    return {
        **column,
        "numeric": True,
        "bars": histogram.bars(edges, counts) if column["min"] != column["max"] else [],
        "bins": len(counts),
        "fullest": max(counts, default=0),
    }


def _flatten(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested provenance as (dotted name, text) pairs, sorted by name."""
    if isinstance(value, Mapping):
        return [
            pair
            for key in sorted(value)
            for pair in _flatten(value[key], f"{name}.{key}" if name else str(key))
        ]
    return [(name, plain(value))]
