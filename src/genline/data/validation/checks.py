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
    # One by one, so that an outcome surely belongs to its entry.
    check = batch.get_batch({"dataframe": table}).validate
    form = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": [ITEM],
        # All of them: which ones a shorter list holds changes with every process.
        "partial_unexpected_count": len(table),
    }
    return [
        _outcome(table, expectation, check(expectation.check, result_format=form))
        for expectation in suite
    ]


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


def _outcome(table: pd.DataFrame, expectation: Expectation, validation: Any) -> dict[str, Any]:
    outcome = validation.to_json_dict()
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
        rows = result.get("unexpected_index_list", ())[:OFFENDING]
        named = [{"item": row[ITEM], "value": _value(row, expectation.column)} for row in rows]
        if expectation.type == _UNIQUE:
            return _twins(table, expectation, named)
        return _across(table, named) if expectation.column in ACROSS_COLUMNS else named
    unwanted = result.get("partial_unexpected_list")
    if not unwanted or expectation.column is None:
        return []
    rows = table[table[expectation.column].isin(unwanted)].head(OFFENDING)
    pairs = zip(rows[ITEM], rows[expectation.column].tolist(), strict=True)
    return [{"item": item, "value": value} for item, value in pairs]


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


def _value(row: dict[str, Any], column: str | None) -> Any:
    if column is not None:
        return row.get(column)
    return ", ".join(str(value) for name, value in sorted(row.items()) if name != ITEM)
