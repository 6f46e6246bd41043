"""The outcome of a validation: what is written, and what a person is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.files import write_atomic, write_json
from genline.core.folders import replaced_folder
from genline.data.validation.checks import run_suite, unmeasured
from genline.data.validation.drift import drift_table
from genline.data.validation.suite import DRIFT, ITEMS, Expectation
from genline.data.validation.summary import summarise

if TYPE_CHECKING:
    import pandas as pd

TABLE, RESULT, SUMMARY = "items.parquet", "result.json", "drift.json"
NOUNS = {ITEMS: "items", DRIFT: "columns"}  # what a row is
_NAMED = 3  # offending items a message names


def validate(
    dataset: str,
    kind: str,
    source: dict[str, Any],
    table: pd.DataFrame,
    suite: list[Expectation],
    drift: dict[str, Any],
) -> dict[str, Any]:
    """Hold ``table`` and its ``drift`` against ``suite``; the content of ``result.json``."""
    outcomes = run_suite(table, [e for e in suite if e.table == ITEMS])
    about_drift = [e for e in suite if e.table == DRIFT]
    if drift["before"] is None:
        outcomes += map(unmeasured, about_drift)
    elif about_drift:
        outcomes += run_suite(drift_table(drift), about_drift)
    return {
        "dataset": dataset,
        "kind": kind,
        "success": not failures(outcomes, "fail"),
        "items": len(table),
        "source": source,
        "expectations": outcomes,
        "columns": summarise(table),
    }


def failures(outcomes: list[dict[str, Any]], severity: str) -> list[dict[str, Any]]:
    """The outcomes of ``severity`` that did not succeed."""
    return [o for o in outcomes if o["severity"] == severity and not o["success"]]


def write_result(
    folder: Path, table: pd.DataFrame, result: dict[str, Any], drift: dict[str, Any]
) -> None:
    """Write item table, result and drift as ``folder``; the same inputs give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Without the metadata of pandas, which describes the index and the versions.
    rows = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    with replaced_folder(folder) as building:
        write_atomic(building / TABLE, lambda file: pq.write_table(rows, file, compression="zstd"))
        write_json(building / RESULT, result)
        write_json(building / SUMMARY, drift)


def describe(outcome: dict[str, Any]) -> str:
    """One failed expectation in a line: type, column, count and the first offending items."""
    column = f" on column '{outcome['column']}'" if outcome["column"] else ""
    kwargs = outcome["kwargs"].items()
    arguments = ", ".join(f"{k} {_argument(v)}" for k, v in kwargs if k != "column")
    wanted = f" (wanted {arguments})" if arguments else ""
    named = [_named(found) for found in outcome["offending"][:_NAMED]]
    count = outcome["unexpected"]
    if count is None:
        observed = outcome["observed"]
        found = "found nothing to measure" if observed is None else f"found {_rounded(observed)}"
    else:
        found = f"{count} of {outcome['checked']} {NOUNS[outcome['table']]}"
        named += ["…"] if count > len(named) else []
    items = f": {', '.join(named)}" if named else ""
    return f"{outcome['type']}{column} failed{wanted}, {found}{items}"


def _named(offending: dict[str, Any]) -> str:
    if "same_as" in offending:
        nearly = "nearly " if offending["nearly"] else ""
        return f"{offending['item']} is {nearly}the same as {offending['same_as']}"
    return f"{offending['item']}: {_shorten(offending['value'])}"


def _argument(value: Any) -> str:
    """An argument of an expectation as a person would write it."""
    if isinstance(value, dict) and {"values", "weights"} <= set(value):
        if len(set(value["weights"])) == 1:
            return f"equal shares of {_argument(value['values'])}"
        pairs = zip(value["values"], value["weights"], strict=False)
        return ", ".join(f"{v}: {100 * w:.4g} %" for v, w in pairs)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)


def _rounded(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
