"""What a data set's validation found, in a few words, kept with the run that learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FILE = "pipeline/validation.json"  # the artifact of a run


def summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """Of the content of ``result.json``: success, items, expectations and those that failed."""
    outcomes = result["expectations"]
    failed = [f"{o['type']} on {o['column'] or 'the table'}" for o in outcomes if not o["success"]]
    return {
        "success": result["success"],
        "items": result["items"],
        "expectations": len(outcomes),
        "failed": failed,
        "source": result["source"],
    }
