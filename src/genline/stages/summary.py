"""``genline summary``: what ``make repro`` says at its end."""

from __future__ import annotations

from pathlib import Path

from genline.core.files import read_json
from genline.core.params import PARAMS_FILE, load_yaml
from genline.reporting.validation.numbers import format_number, interval_decimals
from genline.reporting.verdict import Standing, Verdict, judge

_REPORT = Path("reports/index.html")


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
    champions = [p["experiment"] for p in promotions if p["decision"] == "champion"]
    others = [p["experiment"] for p in promotions if p["decision"] != "champion"]
    kept = f"; not promoted: {', '.join(others)}" if others else ""
    print(f"  registry: champion of its experiment: {', '.join(champions) or 'none'}{kept}")
    print("Runs and models in MLflow: make ui")


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
