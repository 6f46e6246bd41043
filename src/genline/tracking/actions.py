"""A person's word in the registry: promote a version, or go back to the champion before.

The alias moves in one call, so that it is either before or after. What is written ahead of it says
who wanted what; what follows it completes the record, and the same command again completes what a
kill has cut short.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.errors import GenlineError, ModelError, TrackingError
from genline.core.files import read_json
from genline.tracking import aside, card, decisions
from genline.tracking.locking import registering
from genline.tracking.names import (
    CHALLENGER,
    CHAMPION,
    DIGEST,
    PERSON,
    PREDECESSOR,
    RECORD,
    SET_ASIDE,
    WAITS,
    as_tag,
)
from genline.tracking.reading import Reader, Version, open_reader
from genline.tracking.references import find_version, is_folder, resolve_model
from genline.tracking.store import Store, connect, one_line, resolve

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def promote(model: str, reason: str) -> str:
    """Make the version that ``model`` names champion, whatever the gate said; what was done.

    Raises ModelError when there is no such version, TrackingError when MLflow refuses; the aliases
    then are as they were.
    """
    store = resolve()
    reader = open_reader(store)
    wanted = _version(reader, model)
    return _locked(store, wanted.name, lambda: _move(store, wanted.name, wanted.number, reason))


def _version(reader: Reader, model: str) -> Version:
    if is_folder(model):
        raise ModelError(f"{model}: a folder is no version; name one as name@alias or name/version")
    found = resolve_model(reader, model).version
    if found is None:
        raise ModelError(f"run {model} gave no registered version; `genline register` makes one")
    return found


def rollback(experiment: str, reason: str) -> str:
    """Make the champion before the present one champion again; what was done."""
    store = resolve()

    def go_back() -> str:
        champion = find_version(open_reader(store), f"{experiment}@{CHAMPION}")
        before = champion.tags.get(PREDECESSOR)
        cut_short = _cut_short(champion)
        if cut_short is not None and cut_short["action"] == "rollback":
            return _move(store, experiment, champion.number, reason, "rollback")
        if before is None:
            raise ModelError(
                f"{experiment}: version {champion.number} is its first champion, so there is none "
                f"to go back to; `genline promote {experiment}/N` takes another"
            )
        return _move(store, experiment, before, reason, "rollback")

    return _locked(store, experiment, go_back)


def check_reason(reason: str | None) -> str:
    """Raises ModelError unless a reason was given: the record is for those who come after."""
    text = " ".join((reason or "").split())
    if not text:
        raise ModelError('say why, for the record: --reason "…"')
    return text


def _cut_short(champion: Version) -> dict[str, Any] | None:
    """A decision that made this version champion and did not get into the record."""
    kept = champion.tags.get(PERSON)
    decision: dict[str, Any] | None = json.loads(kept) if kept else None
    if decision is None or decision in decisions.read_decisions():
        return None
    return decision


def _locked(store: Store, name: str, act: Callable[[], str]) -> str:
    with registering(store, name):
        try:
            return act()
        except GenlineError:
            raise
        except Exception as error:  # MLflow's own, SQLAlchemy's, requests'
            raise TrackingError(
                f"MLflow at {store.shown} refused ({one_line(error)}); run the same command again"
            ) from error


def _move(store: Store, name: str, number: str, reason: str, action: str = "promote") -> str:
    reader = open_reader(store)
    target = find_version(reader, f"{name}/{number}")
    champions = [v for v in reader.versions(name) if CHAMPION in v.aliases]
    champion = champions[0] if champions else None
    if champion is not None and champion.number == number:
        unfinished = _cut_short(champion)
        if unfinished is None:
            return f"{name}: version {number} is champion already; nothing was changed"
        return _finish(connect(store), name, number, unfinished)
    decision = {
        "experiment": name,
        "action": action,
        "model": target.tags.get(DIGEST),
        "version": number,
        "previous": champion.tags.get(DIGEST) if champion else None,
        "previous_version": champion.number if champion else None,
        "seen": _seen(name),
        "who": decisions.who(),
        "when": decisions.now(),
        "reason": reason,
    }
    client = connect(store)
    if action == "promote" and champion is not None:
        client.set_model_version_tag(name, number, PREDECESSOR, champion.number)
    client.set_model_version_tag(name, number, PERSON, as_tag(decision))
    client.set_registered_model_alias(name, CHAMPION, number)
    failed = _failed(target)
    warning = f" (though its health checks failed: {failed})" if failed else ""
    return _finish(client, name, number, decision) + warning


def _finish(client: MlflowClient, name: str, number: str, decision: Mapping[str, Any]) -> str:
    """All that follows once the alias stands; harmless to do twice."""
    previous = decision.get("previous_version")
    if previous is not None:
        client.set_model_version_tag(name, previous, SET_ASIDE, as_tag(decision))
        _note(client, name, previous, aside.in_words(decision))
    for alias, version in client.get_registered_model(name).aliases.items():
        if alias == CHALLENGER and str(version) == number:
            client.delete_registered_model_alias(name, CHALLENGER)
    words = "promoted" if decision["action"] == "promote" else "brought back"
    note = f"{words} on {decision['when'][:10]} by {decision['who']}: {decision['reason']}"
    if WAITS in _note(client, name, number, note).tags:
        client.delete_model_version_tag(name, number, WAITS)  # else it could be released later
    decisions.append(decision)
    since = f", in place of version {previous}" if previous is not None else ""
    return f"{name}: version {number} is champion{since}; recorded in {decisions.FILE}"


def _note(client: MlflowClient, name: str, number: str, note: str) -> ModelVersion:
    held = client.get_model_version(name, number)
    client.update_model_version(name, number, description=card.noted(held.description or "", note))
    return held


def _seen(name: str) -> str | None:
    """The model that the files' own promotion was about when a person decided."""
    path = Path(f"reports/promotion/{name}.json")
    return read_json(path)["digests"]["model"] if path.is_file() else None


def _failed(version: Version) -> str:
    health = json.loads(version.tags.get(RECORD, "{}")).get("health", {})
    return ", ".join(check for check, found in health.items() if not found["passed"])
