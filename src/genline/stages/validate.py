"""The validate stage: what is in the raw data of one dataset, and whether it is fit for use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from genline.core.errors import DataError
from genline.core.params import PARAMS_FILE, load_yaml, lookup, read_section
from genline.data.sources import registry
from genline.data.validation.across import relate
from genline.data.validation.config import Validate, nearness
from genline.data.validation.drift import compare
from genline.data.validation.result import describe, failures, validate, write_result
from genline.data.validation.suite import read_suite
from genline.data.validation.tables import IMAGE_COLUMNS, TEXT_COLUMNS, image_table, text_table
from genline.data.validation.versions import previous, profile, read_versions, write_versions
from genline.reporting.validation import items
from genline.reporting.validation.page import write_page

RAW, VALIDATED, PAGES = Path("data/raw"), Path("data/validated"), Path("reports/validation")
VERSIONS = Path("reports/versions")


def run(dataset: str) -> None:
    """Write the item table, the result and the page of ``dataset``.

    Raises DataError, after writing them, when an expectation of severity ``fail`` is not met.
    """
    params = load_yaml(PARAMS_FILE)
    key = f"datasets.{dataset}"
    kind = lookup(params, f"{key}.kind")
    section = read_section(Validate, f"{key}.validate", params)
    raw = RAW / dataset
    source = registry.of_kind(raw, kind, dataset)
    suite = read_suite(section.suite, IMAGE_COLUMNS if kind == "image" else TEXT_COLUMNS)
    recorded = VERSIONS / f"{dataset}.json"
    versions = read_versions(recorded)
    found: Any = registry.items(raw)
    measured = image_table(found, source["levels"]) if kind == "image" else text_table(found)
    relate(measured, lambda: registry.items(raw), kind, nearness(kind, section.similar))
    table = measured.rows
    now = profile(table)
    before = previous(versions, now)
    drift = compare(table, before)
    result = validate(dataset, kind, source, table, suite, drift)
    write_result(VALIDATED / dataset, table, result, drift)
    if result["success"]:  # else a second run would find no drift from what was refused
        write_versions(recorded, now, before)
    typical = items.typical(table["label"].tolist(), items.TYPICAL[kind])
    examples = [str(name) for name in table["item"].iloc[typical]]
    shown = items.collect(
        registry.items(raw), [*examples, *items.offending(result)], source.get("levels", 256)
    )
    page = PAGES / dataset
    write_page(result, page, shown, examples, drift)
    met = sum(outcome["success"] for outcome in result["expectations"])
    print(
        f"{dataset}: {met} of {len(suite)} expectations met by {len(table):,} {kind}s; "
        f"see {page / 'index.html'}"
    )
    for outcome in failures(result["expectations"], "warn"):
        print(f"warning: {raw}: {describe(outcome)}", file=sys.stderr)
    failed = failures(result["expectations"], "fail")
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise DataError(f"{raw}: {describe(failed[0])}{more}; see {page / 'index.html'}")
