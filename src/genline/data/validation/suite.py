"""Reading a suite of expectations from its YAML file.

``expectations`` is a list about the item table, ``drift`` one about the table of what changed since
the version before. Each entry has the ``type`` of a Great Expectations expectation, its arguments,
and a ``severity``: ``fail`` stops the line, ``warn`` is recorded and printed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genline.core.errors import ParamsError, nearest
from genline.core.params import load_yaml
from genline.core.wording import found
from genline.data.validation.drift import DRIFT_COLUMNS

SEVERITIES = ("fail", "warn")
ITEMS, DRIFT = "expectations", "drift"  # the lists of a suite, and the tables they are about
# Arguments the runner sets itself, or that mean nothing here.
_RESERVED = {
    "batch_id",
    "catch_exceptions",
    "description",
    "id",
    "meta",
    "notes",
    "rendered_content",
    "result_format",
    "severity",
    "windows",
}
_COLUMN_ARGUMENTS = ("column", "column_A", "column_B")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Expectation:
    """One entry of a suite, checked against Great Expectations and the table's columns."""

    type: str
    kwargs: dict[str, Any]
    severity: str
    check: Any  # the Great Expectations object
    table: str = ITEMS  # or DRIFT

    @property
    def column(self) -> str | None:
        column = self.kwargs.get("column")
        return None if column is None else str(column)


def read_suite(path: Path | str, columns: Collection[str]) -> list[Expectation]:
    """The expectations in ``path``, for an item table with ``columns``.

    Raises ParamsError naming the file, the entry, what was found and what would be right.
    """
    content = load_yaml(path)
    entries = content.get(ITEMS) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ParamsError(f"{path}: no expectations; give a list under the key '{ITEMS}'")
    extra = sorted(map(str, set(content) - {ITEMS, DRIFT}))
    if extra:
        raise ParamsError(f"{path}: unknown key '{extra[0]}'; the keys are '{ITEMS}' and '{DRIFT}'")
    drift = content.get(DRIFT, [])
    if not isinstance(drift, list):
        raise ParamsError(f"{path}: {DRIFT} is {found(drift)}; wanted a list of expectations")
    types = expectation_types()
    return [
        *(
            _read(f"{path}, expectation {number}", entry, types, columns)
            for number, entry in enumerate(entries, start=1)
        ),
        *(
            replace(_read(f"{path}, {DRIFT} {number}", entry, types, DRIFT_COLUMNS), table=DRIFT)
            for number, entry in enumerate(drift, start=1)
        ),
    ]


def expectation_types() -> dict[str, Any]:
    """Great Expectations' classes by the names its documentation uses in suites."""
    from great_expectations import expectations

    return {
        _HUMP.sub("_", name).lower(): getattr(expectations, name)
        for name in dir(expectations)
        if name.startswith("Expect") and name != "Expectation"
    }


def _read(where: str, entry: Any, types: dict[str, Any], columns: Collection[str]) -> Expectation:
    if not isinstance(entry, dict) or "type" not in entry:
        raise ParamsError(f"{where}: no type; give one such as expect_column_values_to_be_between")
    kwargs = {name: value for name, value in entry.items() if name not in ("type", "severity")}
    kind, severity = str(entry["type"]), entry.get("severity")
    where = f"{where} ({kind})"
    if kind not in types:
        close = nearest(kind, types)
        hint = close if close.startswith("did") else "see the gallery of Great Expectations"
        raise ParamsError(f"{where}: unknown type; {hint}")
    if severity not in SEVERITIES:
        raise ParamsError(
            f"{where}: severity is {found(severity)}; wanted {' or '.join(SEVERITIES)}"
        )
    known = set(types[kind].__fields__) - _RESERVED
    for name in kwargs:
        if name not in known:
            raise ParamsError(f"{where}: unknown argument '{name}'; {nearest(str(name), known)}")
    for name in _COLUMN_ARGUMENTS:
        if name not in kwargs:
            continue
        column = kwargs[name]
        if not isinstance(column, str):
            raise ParamsError(f"{where}: {name} is {found(column)}; wanted the name of a column")
        if column not in columns:
            raise ParamsError(f"{where}: no column '{column}'; {nearest(column, columns)}")
    return Expectation(kind, kwargs, severity, _build(where, types[kind], kwargs))


def _build(where: str, kind: Any, kwargs: dict[str, Any]) -> Any:
    from pydantic.v1 import ValidationError

    try:
        return kind(**kwargs)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        about = "" if name == "__root__" else f"{name} is {found(kwargs.get(name))}; "
        raise ParamsError(f"{where}: {about}{first['msg']}") from None
    except (TypeError, ValueError) as error:
        raise ParamsError(f"{where}: {error}") from None
