"""The validation page: what was expected of a dataset, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from genline.core.files import write_text
from genline.reporting.numbers import format_share
from genline.reporting.validation import histogram
from genline.reporting.validation.drift import shown as shown_drift
from genline.reporting.validation.items import OFFENDERS, Shown
from genline.reporting.validation.skeleton import environment, plain
from genline.reporting.validation.wording import COLUMNS, class_names, sentence

# What an expectation that is not met does, by its severity in the suite.
_CONSEQUENCES = {"fail": "stops the line", "warn": "warns only"}


def write_page(
    result: Mapping[str, Any],
    folder: Path,
    items: Mapping[str, Shown] | None = None,
    examples: Sequence[str] = (),
    drift: Mapping[str, Any] | None = None,
) -> None:
    """Write ``folder/index.html`` from a ``result.json`` (docs/architecture.md).

    items: those that can be shown, by name; examples: the names of the typical ones; drift: the
    content of ``drift.json``.
    """
    write_text(Path(folder) / "index.html", render(result, items, examples, drift))


def render(
    result: Mapping[str, Any],
    items: Mapping[str, Shown] | None = None,
    examples: Sequence[str] = (),
    drift: Mapping[str, Any] | None = None,
) -> str:
    """The page as HTML: one self-contained file, the same bytes for the same arguments."""
    names = result["source"].get("class_names") or []
    shown = {key: _labelled(item, names) for key, item in (items or {}).items()}
    rows = [_row(e, shown, OFFENDERS[result["kind"]]) for e in result["expectations"]]
    constant = {c["name"]: _only(c) for c in result["columns"] if _only(c) is not None}
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
        columns=[_column(c, names) for c in result["columns"] if c["name"] not in constant],
        constant=constant,
        drift=shown_drift(drift),
        skipped=(result["source"].get("skipped") or {}).get("count", 0),
        classes=class_names(result["source"]),
        source=[(name, value) for name, value in _flatten(result["source"]) if value],
        chart=(histogram.WIDTH, histogram.HEIGHT),
    )


def _row(expectation: Mapping[str, Any], shown: Mapping[str, Shown], most: int) -> dict[str, Any]:
    found = list(expectation["offending"] or [])
    named = [
        {**o, "shown": shown.get(str(o["item"])), "twin": shown.get(str(o.get("same_as", "")))}
        for o in found[:most]
    ]
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
        "noun": "columns" if expectation["table"] == "drift" else "items",
        "unshown": max(0, (expectation["unexpected"] or 0) - len(named)),
    }


def _only(column: Mapping[str, Any]) -> Any:
    """The value that all items have in a column; None where they differ or one has none."""
    if "histogram" in column:
        same = column["min"] == column["max"] and not column["missing"]
        return column["min"] if same else None
    return column["top"][0][0] if column["distinct"] == 1 else None


def _labelled(item: Shown, names: Sequence[str]) -> Shown:
    """With the name of its class beside the number."""
    return replace(item, label=_class(item.label, names))


def _class(label: Any, names: Sequence[str]) -> Any:
    number = str(label)
    if not number.isdecimal() or int(number) >= len(names) or names[int(number)] == number:
        return label
    return f"{number} {names[int(number)]}"


def _column(column: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    column = {**column, "words": COLUMNS.get(column["name"], "")}
    if "histogram" not in column:
        most = max((count for _, count in column["top"]), default=1) or 1
        classes = names if column["name"] == "label" else ()
        top = [
            (_class(value, classes), count, round(100 * count / most, 1))
            for value, count in column["top"]
        ]
        return {**column, "numeric": False, "top": top}
    edges, counts = column["histogram"]["edges"], column["histogram"]["counts"]
    return {
        **column,
        "numeric": True,
        "bars": histogram.bars(edges, counts),
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
