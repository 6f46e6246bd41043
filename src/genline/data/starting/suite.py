"""A first suite of expectations for data that was looked at, for its owner to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_MANY_CLASSES = 100  # more are not listed


def suite(table: pd.DataFrame, kind: str, count: int, path: str) -> str:
    """The YAML text of a suite that ``table``, some or all of ``count`` items, meets.

    What would make training pointless fails; what the data happen to be like warns.
    """
    rows = _images(table) if kind == "image" else _texts(table)
    rows = [_count(count), {}, *rows]
    head = (
        f"# What the {kind}s must satisfy before anything is made of them; first written from the\n"
        "# data as they were. Types are those of Great Expectations; columns are those of\n"
        f"# {path}.\n"
        "# severity: fail stops the line, warn is printed and recorded.\n"
        "expectations:\n"
    )
    return head + "".join(f"  - {_flow(row)}\n" if row else "\n" for row in rows)


def _images(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for column in ("channels", "height", "width"):
        values = sorted(table[column].unique().tolist())
        rows.append(_check("values_to_be_in_set", "fail", column=column, value_set=values))
    constant = bool(table["near_constant"].any())
    severity = "warn" if constant else "fail"
    rows += [
        {},
        _check("values_to_be_in_set", severity, column="near_constant", value_set=[False]),
        _unique(table),
    ]
    classes = sorted(table["label"].dropna().unique().tolist())
    if classes:
        rows += [{}, _check("values_to_be_in_set", "fail", column="label", value_set=classes)]
    if 0 < len(classes) <= _MANY_CLASSES:
        kind = "distinct_values_to_contain_set"
        rows.append(_check(kind, "fail", column="label", value_set=classes))
    return rows


def _texts(table: pd.DataFrame) -> list[dict[str, Any]]:
    longest = 2 * int(table["characters"].max())
    rows = [
        _between("fail", column="words", min_value=1),
        _between("warn", column="characters", min_value=1, max_value=longest),
        {},
    ]
    for column in ("control_characters", "replacement_characters"):
        severity = "warn" if bool((table[column] > 0).any()) else "fail"
        rows.append(_check("values_to_be_in_set", severity, column=column, value_set=[0]))
    repeats = _between("warn", column="repetition", min_value=0, max_value=0.5)
    rows += [{}, repeats, _unique(table)]
    classes = sorted(set(table["label"]) - {""})
    if 0 < len(classes) <= _MANY_CLASSES:
        kind = "distinct_values_to_equal_set"
        rows += [{}, _check(kind, "warn", column="label", value_set=classes)]
    return rows


def _count(count: int) -> dict[str, Any]:
    # Half as many are a sign that something was lost on the way.
    kind = "expect_table_row_count_to_be_between"
    return {"type": kind, "min_value": max(1, count // 2), "severity": "fail"}


def _unique(table: pd.DataFrame) -> dict[str, Any]:
    severity = "warn" if bool(table["digest"].duplicated().any()) else "fail"
    return _check("values_to_be_unique", severity, column="digest")


def _between(severity: str, **arguments: Any) -> dict[str, Any]:
    return _check("values_to_be_between", severity, **arguments)


def _check(kind: str, severity: str, **arguments: Any) -> dict[str, Any]:
    return {"type": f"expect_column_{kind}", **arguments, "severity": severity}


def _flow(row: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(
        row, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True
    )
    return text.strip()
