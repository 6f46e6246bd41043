"""``genline summary``: what ``make repro`` says at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genline.core.errors import TrackingError
from genline.core.files import read_json
from genline.core.params import PARAMS_FILE, load_yaml
from genline.reporting.numbers import format_number, interval_decimals
from genline.reporting.verdict import Standing, Verdict, judge
from genline.tracking.names import CHAMPION
from genline.tracking.standing import held

_REPORT = Path("reports/index.html")
# The record of what was done to the registry: without it the stage runs again.
_AGAIN = "rm -r reports/registered && make repro"


def run() -> None:
    """Prints where the report is, one line a dataset, what was promoted, and how to go on."""
    params = load_yaml(PARAMS_FILE)
    print(f"\nReport: {_REPORT}")
    for dataset, section in params["datasets"].items():
        names = [n for n, e in params["experiments"].items() if e["dataset"] == dataset]
        records = [read_json(f"reports/evaluation/{name}.json") for name in names]
        if records:
            print(f"  {_found(judge(dataset, section['kind'], records))}")
    promotions = [read_json(f"reports/promotion/{name}.json") for name in params["experiments"]]
    print(f"  registry: {_registry(promotions)}")
    print("Runs and models in MLflow: make ui")


def _registry(promotions: Sequence[Mapping[str, Any]]) -> str:
    """What was promoted, as the registry has it now: it is no file, and may have been deleted."""
    wanted = {(p["experiment"], p["decision"]): p["digests"]["model"] for p in promotions}
    try:
        found = held(wanted)
    except TrackingError as error:
        return f"not looked at: {error}"
    lacking = [
        name for (name, alias), digest in wanted.items() if found.get((name, alias)) != digest
    ]
    if lacking:
        return f"does not hold {', '.join(lacking)} as the records say; register again: {_AGAIN}"
    champions = [p["experiment"] for p in promotions if p["decision"] == CHAMPION]
    others = [p["experiment"] for p in promotions if p["decision"] != CHAMPION]
    kept = f"; not promoted: {', '.join(others)}" if others else ""
    return f"champion of its experiment: {', '.join(champions) or 'none'}{kept}"


def _found(verdict: Verdict) -> str:
    """One dataset's outcome in one line."""
    floor = "" if verdict.floor is None else f"; floor {format_number(verdict.floor)}"
    standings = ", ".join(_figures(s) for s in verdict.standings)
    if verdict.difference is None:
        beyond = ""
    else:
        beyond = ", beyond noise" if verdict.decided else ", within noise"
    figures = f"{verdict.title} {standings}{floor}"
    return f"{verdict.dataset}: {verdict.headline}{beyond} ({figures})"


def _figures(standing: Standing) -> str:
    failed = f", failed {', '.join(standing.failed_checks)}" if standing.failed_checks else ""
    found = standing.estimate
    if found is None:
        return f"{standing.experiment} without a finite figure{failed}"
    decimals = interval_decimals(found.low, found.high)
    low, high = format_number(found.low, decimals), format_number(found.high, decimals)
    return f"{standing.experiment} {found} [{low}, {high}]{failed}"
