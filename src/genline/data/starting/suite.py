"""A first suite of expectations for data that was looked at, for its owner to edit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_MANY_CLASSES = 100  # more are not listed
_UNEVEN = 0.05  # nats that the shares of the classes may move further from even ones

Row = dict[str, Any]


def suite(table: pd.DataFrame, kind: str, path: str) -> str:
    """The YAML text of a suite that ``table`` meets, save for what it warns of.

    What would make training pointless fails; what the data happen to be like warns.
    """
    parts = [
        ("Half as many items are a sign that something was lost on the way.", [_count(table)]),
        *(_images(table) if kind == "image" else _texts(table)),
        *_classes(table),
        ("Two equal items would be counted twice.", [_unique(table)]),
        *_across(table),
    ]
    head = (
        f"# What the {kind}s must satisfy before anything is made of them; first written from the\n"
        "# data as they were. Types are those of Great Expectations; columns are those of\n"
        f"# {path} (docs/validation.md tells them).\n"
        "# severity: fail stops the line, warn is printed and recorded.\n"
        "expectations:\n"
    )
    return head + "\n".join(_lines(about, rows) for about, rows in parts) + _drift()


def _images(table: pd.DataFrame) -> list[tuple[str, list[Row]]]:
    shape = [
        _check(
            "values_to_be_in_set",
            "fail",
            column=column,
            value_set=sorted(set(table[column].tolist())),
        )
        for column in ("channels", "height", "width")
    ]
    bits = table["entropy"]
    return [
        ("Of these shapes.", shape),
        ("Something is to be seen on each.", [_never(table, "near_constant")]),
        (
            "Bits of the histogram of levels: less is a drawing or a blank, more is noise.",
            [
                _between(
                    "warn",
                    column="entropy",
                    min_value=math.floor(10 * bits.min()) / 10,
                    max_value=math.ceil(10 * bits.max()) / 10,
                )
            ],
        ),
    ]


def _texts(table: pd.DataFrame) -> list[tuple[str, list[Row]]]:
    longest = 2 * int(table["characters"].max())
    encoded = []
    for column in ("control_characters", "replacement_characters"):
        severity = "warn" if bool((table[column] > 0).any()) else "fail"
        encoded.append(_check("values_to_be_in_set", severity, column=column, value_set=[0]))
    scripts = sorted(set(table["script"].tolist()))
    return [
        (
            "Nothing empty, and nothing twice as long as the longest.",
            [
                _between("fail", column="words", min_value=1),
                _between("warn", column="characters", min_value=1, max_value=longest),
            ],
        ),
        ("Read in the right encoding.", encoded),
        (
            "Of these scripts for the most part of each text; '' is of a text without letters.",
            [_check("values_to_be_in_set", "warn", column="script", value_set=scripts)],
        ),
        (
            "The share of the most frequent word of a text.",
            [_between("warn", column="repetition", min_value=0, max_value=0.5)],
        ),
    ]


def _classes(table: pd.DataFrame) -> list[tuple[str, list[Row]]]:
    """Which labels there are, and how even they are."""
    counts = table["label"].dropna().astype(object).value_counts()
    counts = counts[counts.index != ""].sort_index()
    if counts.empty:
        return []
    classes = counts.index.tolist()
    if len(classes) > _MANY_CLASSES:
        if isinstance(classes[0], str):
            return []
        most = _between("fail", column="label", min_value=0, max_value=max(classes))
        return [("The classes.", [most])]
    rows = [_check("values_to_be_in_set", "fail", column="label", value_set=classes)]
    if len(classes) > 1:
        shares = counts / counts.sum()
        uneven = sum(share * math.log(share * len(classes)) for share in shares.tolist())
        even = {"values": classes, "weights": [1 / len(classes)] * len(classes)}
        rows += [
            _check("distinct_values_to_contain_set", "fail", column="label", value_set=classes),
            _check(
                "kl_divergence_to_be_less_than",
                "warn",
                column="label",
                partition_object=even,
                threshold=math.ceil(100 * (uneven + _UNEVEN)) / 100,
            ),
        ]
    return [("The classes, and in nats how far their shares may be from even ones.", rows)]


def _across(table: pd.DataFrame) -> list[tuple[str, list[Row]]]:
    """What given splits share; where none are given, prepare keeps equal items on one side."""
    if table["split"].nunique() < 2:
        return []
    return [
        (
            "No item stands in two splits, and none tested on is trained on, equal or nearly so.",
            [
                _never(table, "equal_across"),
                _check("values_to_be_in_set", "warn", column="near_across", value_set=[False]),
                _never(table, "leaked"),
            ],
        )
    ]


def _drift() -> str:
    rows = [
        _between("warn", column="psi_beyond_chance", max_value=0.1),
        _between("warn", column="kl", max_value=0.5),
    ]
    about = (
        "\n# How far each column may be from the version of the data that passed before.\n"
        "# psi_beyond_chance: population stability index, less what chance alone gives; 0.1 is a\n"
        "# small shift, 0.25 a large one. kl: nats.\n"
    )
    return f"{about}drift:\n" + "".join(f"  - {_flow(row)}\n" for row in rows)


def _count(table: pd.DataFrame) -> Row:
    kind = "expect_table_row_count_to_be_between"
    return {"type": kind, "min_value": max(1, len(table) // 2), "severity": "fail"}


def _never(table: pd.DataFrame, column: str) -> Row:
    severity = "warn" if bool(table[column].any()) else "fail"
    return _check("values_to_be_in_set", severity, column=column, value_set=[False])


def _unique(table: pd.DataFrame) -> Row:
    severity = "warn" if bool(table["digest"].duplicated().any()) else "fail"
    return _check("values_to_be_unique", severity, column="digest")


def _between(severity: str, **arguments: Any) -> Row:
    return _check("values_to_be_between", severity, **arguments)


def _check(kind: str, severity: str, **arguments: Any) -> Row:
    return {"type": f"expect_column_{kind}", **arguments, "severity": severity}


def _lines(about: str, rows: list[Row]) -> str:
    return f"  # {about}\n" + "".join(f"  - {_flow(row)}\n" for row in rows)


def _flow(row: Row) -> str:
    import yaml

    text: str = yaml.safe_dump(
        row, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True
    )
    return text.strip()
