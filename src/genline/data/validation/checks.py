"""Holding an item table against its suite with Great Expectations."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from genline.core.errors import DataError
from genline.data.validation.suite import Expectation
from genline.data.validation.tables import ACROSS_COLUMNS, ITEM, NEAR_KEYS, TWIN

if TYPE_CHECKING:
    import pandas as pd

# Offending items kept of one expectation; their full number stands beside them.
OFFENDING = 100
_UNIQUE = "expect_column_values_to_be_unique"
_LISTED = 20  # values named where a set of them is missing


def run_suite(table: pd.DataFrame, suite: Sequence[Expectation]) -> list[dict[str, Any]]:
    """The outcome of each expectation, in suite order.

    ``checked`` and ``unexpected`` count items and are None where an expectation is about the
    table as a whole; ``observed`` is what was found there. Raises DataError when an expectation
    cannot be evaluated on its column.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("table").add_dataframe_asset("items")
    batch = asset.add_batch_definition_whole_dataframe("all")
    plain = table.reset_index(drop=True)

    def check(expectation: Expectation) -> dict[str, Any]:
        # One by one, so that an outcome surely belongs to its entry. The columns that it reads
        # alone: all that is given is hashed each time.
        given = batch.get_batch({"dataframe": _read_by(plain, expectation)})
        form = {
            "result_format": "COMPLETE",
            # All of them: which ones a shorter list holds changes with every process.
            "partial_unexpected_count": len(table) if _of_table(expectation) else 0,
        }
        validation = given.validate(expectation.check, result_format=form)
        if "unexpected_index_list" in validation.result:
            # Of a million items that break it, the first are enough.
            rows = validation.result["unexpected_index_list"]
            validation.result["unexpected_index_list"] = (rows or [])[:OFFENDING]
            validation.result.pop("unexpected_list", None)
        return dict(validation.to_json_dict())

    return [_outcome(plain, expectation, check(expectation)) for expectation in suite]


def _read_by(table: pd.DataFrame, expectation: Expectation) -> pd.DataFrame:
    """The columns of ``table`` that an expectation is about, or all where that is not sure."""
    names = set(expectation.kwargs) & {"column", "column_A", "column_B", "row_condition"}
    if names == {"column"}:
        return table[[expectation.column]]
    if not names and expectation.type.startswith("expect_table_row_count"):
        return table[[ITEM]]
    return table


def _of_table(expectation: Expectation) -> bool:
    """Whether it is about all values together, such as which of them occur."""
    return "_distinct_values_" in expectation.type or "_most_common_" in expectation.type


def unmeasured(expectation: Expectation) -> dict[str, Any]:
    """The outcome of an expectation about drift where there is no version before: it is met."""
    return {
        "table": expectation.table,
        "type": expectation.type,
        "column": expectation.column,
        "kwargs": expectation.kwargs,
        "severity": expectation.severity,
        "success": True,
        "checked": None,
        "unexpected": None,
        "observed": "no version before",
        "offending": [],
    }


def _outcome(
    table: pd.DataFrame, expectation: Expectation, outcome: dict[str, Any]
) -> dict[str, Any]:
    _refuse_exception(expectation, outcome["exception_info"])
    result = outcome["result"]
    by_item = "element_count" in result
    unexpected = int(result["unexpected_count"]) if by_item else None
    return {
        "table": expectation.table,
        "type": expectation.type,
        "column": expectation.column,
        "kwargs": expectation.kwargs,
        "severity": expectation.severity,
        "success": bool(outcome["success"]),
        "checked": int(result["element_count"]) if by_item else None,
        "unexpected": unexpected,
        "observed": _observed(table, expectation, result),
        "offending": _offending(table, expectation, result, by_item),
    }


def _refuse_exception(expectation: Expectation, info: dict[str, Any]) -> None:
    # One record, or one for each metric that could not be computed.
    records = [info] if "raised_exception" in info else list(info.values())
    for record in records:
        if record["raised_exception"]:
            message = str(record["exception_message"]).splitlines()[0]
            raise DataError(
                f"{expectation.type} on column '{expectation.column}' cannot be evaluated "
                f"({message}); choose an expectation that fits the column's values"
            )


def _observed(table: pd.DataFrame, expectation: Expectation, result: dict[str, Any]) -> Any:
    """The value found for the table as a whole, or which values were too many or missing."""
    value = result.get("observed_value")
    if value is None and "element_count" not in result:
        parts = []
        if unwanted := result.get("partial_unexpected_list"):
            parts.append(f"unwanted {_listed(unwanted)}")
        if result.get("partial_missing_list"):
            # Great Expectations names twenty of a set, others in every process: count them anew.
            present = set(table[expectation.column])
            missing = [v for v in expectation.kwargs["value_set"] if v not in present]
            parts.append(f"missing {_listed(missing)}")
        outside = _outside_partition(table, expectation)
        if outside:  # its share in the partition is zero, so that the divergence is infinite
            parts.append(f"no finite divergence: the partition lacks {_listed(outside)}")
        return "; ".join(parts) or None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _outside_partition(table: pd.DataFrame, expectation: Expectation) -> set[Any]:
    partition = expectation.kwargs.get("partition_object")
    values = partition.get("values") if isinstance(partition, dict) else None
    if not values or expectation.column is None:
        return set()
    return set(table[expectation.column].dropna().tolist()) - set(values)


def _listed(values: Iterable[Any]) -> str:
    """The first few in order, since they come out of sets, and how many more there are."""
    names = sorted(map(str, values))
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _offending(
    table: pd.DataFrame, expectation: Expectation, result: dict[str, Any], by_item: bool
) -> list[dict[str, Any]]:
    if by_item:
        rows = result.get("unexpected_index_list", [])
        named = _named(table.iloc[rows], expectation)
        if expectation.type == _UNIQUE:
            return _twins(table, expectation, named)
        return _across(table, named) if expectation.column in ACROSS_COLUMNS else named
    unwanted = result.get("partial_unexpected_list")
    if not unwanted or expectation.column is None:
        return []
    return _named(table[table[expectation.column].isin(unwanted)].head(OFFENDING), expectation)


def _named(rows: pd.DataFrame, expectation: Expectation) -> list[dict[str, Any]]:
    """The item of each row, and the value that breaks the expectation, or the values."""
    if expectation.column is not None:
        values = (
            rows[expectation.column].astype(object).where(rows[expectation.column].notna(), None)
        )
        pairs = zip(rows[ITEM], values.tolist(), strict=True)
        return [{"item": item, "value": value} for item, value in pairs]
    read = expectation.kwargs
    columns = read.get("column_list") or [read[n] for n in ("column_A", "column_B") if n in read]
    return [
        {"item": item, "value": ", ".join(map(str, values))}
        for item, *values in zip(rows[ITEM], *(rows[name] for name in columns), strict=True)
    ]


def _twins(
    table: pd.DataFrame, expectation: Expectation, named: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """``named``, each with the item that it repeats under ``same_as``, the first of its value.

    The first itself has the second there. ``nearly`` says whether equal values are of items that
    are merely alike.
    """
    values = {found["value"] for found in named}
    some = table[table[expectation.column].isin(values)]
    first: dict[Any, list[str]] = {}
    for item, value in zip(some[ITEM], some[expectation.column].tolist(), strict=True):
        holders = first.setdefault(value, [])
        if len(holders) < 2:
            holders.append(item)
    nearly = expectation.column in NEAR_KEYS
    return [
        {**found, "same_as": _other(first[found["value"]], found["item"]), "nearly": nearly}
        for found in named
    ]


def _across(table: pd.DataFrame, named: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``named``, each with the item of another split that it equals, or is nearly the same as."""
    some = table[table[ITEM].isin([found["item"] for found in named])]
    twins = dict(zip(some[ITEM], zip(some[TWIN], some["equal_across"], strict=True), strict=True))
    return [
        {**found, "same_as": twins[found["item"]][0], "nearly": not twins[found["item"]][1]}
        for found in named
    ]


def _other(items: Sequence[str], item: str) -> str:
    return next((other for other in items if other != item), item)
