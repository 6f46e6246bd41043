"""``genline lineage MODEL``: where a model came from, for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from genline.tracking.lineage import Lineage, trace

_WIDTH = 13


def run(model: str, as_json: bool) -> None:
    found = trace(model)
    if as_json:
        print(json.dumps(found.to_json(), indent=2, sort_keys=True, ensure_ascii=False))
    else:
        print("\n".join(_lines(found)))


def _lines(found: Lineage) -> Iterable[str]:
    aliases = f" ({', '.join(found.aliases)})" if found.aliases else ""
    yield _line("model", f"{found.experiment} {found.model}")
    yield _line("registered", f"{found.version}{aliases}" if found.version else "no")
    yield _line("run", found.run or "none in MLflow")
    yield _line("data", _data(found))
    yield _line("evaluator", found.digests.get("evaluator", "not evaluated"))
    yield _line("code", _code(found))
    yield _line("packages", _pairs(found.packages, ", ", " ") + f" ({found.packages_from})")
    yield _line("recipe", found.recipe or "digest not known")
    yield from (_line("", f"{key}: {value}") for key, value in found.params.items())
    yield _line("metrics", "value, 95 % interval, floor" if found.metrics else "none")
    yield from (_line("", _metric(name, m)) for name, m in found.metrics.items())
    failed = [f"{k} ({v['reason']})" for k, v in found.health.items() if not v["passed"]]
    if found.health:
        yield _line("health", f"failed: {'; '.join(failed)}" if failed else "all checks passed")
    if found.decision is not None:
        yield _line("gate", f"{found.decision['decision']}: {found.decision['reason']}")
        yield _line("compared with", _compared(found.compared_with, found.decision))
    for did in found.people:
        verb = "promoted" if did["model"] == found.model else "set aside"
        yield _line(verb, f"{did['when']} by {did['who']} ({did['action']}): {did['reason']}")


def _line(label: str, text: str) -> str:
    return f"{label:{_WIDTH}}  {text}"


def _data(found: Lineage) -> str:
    digest = found.digests.get("data", "not known")
    checked = found.validation
    if checked is None:
        return f"{found.dataset} {digest}; its validation is not on record"
    failed = f", of which failed: {', '.join(checked['failed'])}" if checked["failed"] else ""
    verdict = "valid" if checked["success"] else "not valid"
    return (
        f"{found.dataset} {digest}; {verdict}: {checked['items']} items, "
        f"{checked['expectations']} expectations{failed}"
    )


def _code(found: Lineage) -> str:
    code = found.code
    if code.commit is None:
        return "no commit is known: it ran outside a repository"
    if not code.dirty:
        return code.commit
    size = f", {len(code.patch)} bytes" if code.patch is not None else ""
    return f"{code.commit} with changes: patch {code.kept}{size}"


def _compared(champion: str | None, decision: Mapping[str, Any]) -> str:
    if champion is None:
        return "no champion stood then"
    return champion if decision.get("champion") else f"{champion} stood, and was not compared with"


def _pairs(values: Mapping[str, str], between: str, inside: str) -> str:
    return between.join(f"{key}{inside}{value}" for key, value in values.items()) or "not known"


def _metric(name: str, metric: Mapping[str, Any]) -> str:
    floor = "" if metric.get("floor") is None else f", floor {metric['floor']:.4g}"
    return f"{name}: {metric['value']:.4g} [{metric['low']:.4g}, {metric['high']:.4g}]{floor}"
