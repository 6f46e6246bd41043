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
from genline.tracking.aside import in_words, last_word
from genline.tracking.names import CHAMPION, WAITS
from genline.tracking.standing import Held, carried, held

_REPORT = Path("reports/index.html")
# The record of what was done to the registry: without it the stage runs again.
_AGAIN = "rm -rf reports/registered && make repro"


def run() -> None:
    """Prints where the report is, one line a dataset, what was promoted, and how to go on."""
    params = load_yaml(PARAMS_FILE)
    missing = "" if _REPORT.is_file() else " (not here yet: `make repro` writes it)"
    print(f"\nReport: {_REPORT}{missing}")
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
        found = held({**wanted, **{(name, CHAMPION): "" for name, _ in wanted}})
        lacking = {
            (name, digest): alias
            for (name, alias), digest in wanted.items()
            if (name, alias) not in found or found[name, alias].digest != digest
        }
        tags = carried(lacking) if lacking else {}
    except TrackingError as error:
        return f"not looked at: {error}"
    reasons = {m: _reason(*m, alias, tags.get(m)) for m, alias in lacking.items()}
    said = [reason for reason in reasons.values() if reason is not None]
    unknown = [name for (name, _), reason in reasons.items() if reason is None]
    if unknown:
        names = ", ".join(unknown)
        said.append(f"does not hold {names} as the records say; register again: {_AGAIN}")
        return "; ".join(said)
    as_said = [key for key, digest in wanted.items() if (key[0], digest) not in lacking]
    new = [
        f"{name} version {found[name, CHAMPION].version}" for name, a in as_said if a == CHAMPION
    ]
    champions = [f"champion: {', '.join(new)}"] if new else []
    kept = [_kept(name, alias, found) for name, alias in as_said if alias != CHAMPION]
    return "; ".join([*champions, *kept, *said])


def _kept(name: str, alias: str, found: Mapping[tuple[str, str], Held]) -> str:
    """What became of a version that the gate did not promote, and who is champion instead."""
    champion = found.get((name, CHAMPION))
    if champion is None:
        other = "there is no champion yet"
    else:
        other = f"version {champion.version} stays champion"
    return f"{name}: version {found[name, alias].version} not promoted, {other}"


def _reason(name: str, model: str, alias: str, tags: Mapping[str, str] | None) -> str | None:
    """Why a model is not what the records say though the registry holds it, as it should be.

    None where that is nobody's decision. Registering again would go behind a decision's back.
    """
    if tags is None:
        return None
    person = last_word(name, model, tags)
    if person is not None and person["model"] != model:
        return f"{name} was {in_words(person)}"
    if person is not None and alias != CHAMPION:
        return f"{name} was promoted by a person"
    if alias == CHAMPION and WAITS in tags:
        return f"{name} waits {tags[WAITS]}"
    return None


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
