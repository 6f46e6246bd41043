"""A registered model brought to what the files say: its version, decision and aliases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.files import digest_file
from genline.tracking import aside, decisions, registry
from genline.tracking.names import CHALLENGER, CHAMPION, DIGEST, PERSON, SET_ASIDE, SPLIT
from genline.tracking.records import Files
from genline.tracking.store import Store
from genline.tracking.vetoes import split_of
from genline.tracking.wanted import Wanted, wanted_champion

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def restore(client: MlflowClient, store: Store, files: Files) -> tuple[list[str], list[str]]:
    """What had to be added, and what could not be, in words. Raises what MLflow raises.

    The gate is not asked: its decision is the one in ``reports/promotion/``, and no other version
    becomes champion than the one it, or a person after it, decided for.
    """
    evaluation, promotion = files.evaluation, files.promotion
    if evaluation is None or promotion is None:
        return [], []
    added: list[str] = []
    version = registry.by_digest(client, files.experiment, promotion["digests"]["model"])
    if version is None and files.folder is not None:
        version = _create(client, store, files, evaluation, promotion)
        added.append(f"version {version.version}")
    elif version is not None and _complete(client, version, evaluation, promotion):
        added.append(f"version {version.version}'s decision")
    moved, notes = _aliases(client, files, promotion, version)
    return added + moved, notes


def _create(
    client: MlflowClient,
    store: Store,
    files: Files,
    evaluation: Mapping[str, Any],
    promotion: Mapping[str, Any],
) -> ModelVersion:
    assert files.folder is not None
    items = Path("reports/items", f"{files.experiment}.csv")
    kept = items if items.is_file() else None
    incumbent = registry.by_alias(client, files.experiment, CHAMPION)
    tags = _tags(evaluation, promotion, kept)
    if incumbent is not None and incumbent.tags.get(DIGEST) == promotion.get("against"):
        tags |= registry.predecessor_tags(incumbent, promotion)
    version = registry.create_version(client, store, evaluation, kept, files.folder, tags)
    _describe(client, version, evaluation, promotion)
    return version


def _complete(
    client: MlflowClient,
    version: ModelVersion,
    evaluation: Mapping[str, Any],
    promotion: Mapping[str, Any],
) -> bool:
    """Whether anything was missing of a version that a registration which was cut short left."""
    items = Path("reports/items", f"{version.name}.csv")
    wanted = _tags(evaluation, promotion, items if items.is_file() else None)
    # Only what is missing: a version's present tags may tell of a later decision than the files.
    missing = {key: value for key, value in wanted.items() if key not in version.tags}
    for key, value in missing.items():
        client.set_model_version_tag(version.name, str(version.version), key, value)
    if version.description:
        return bool(missing)
    _describe(client, version, evaluation, promotion)
    return True


def _tags(
    evaluation: Mapping[str, Any], promotion: Mapping[str, Any], items: Path | None
) -> dict[str, str]:
    digest = None if items is None else digest_file(items)
    tags = registry.version_tags(evaluation, promotion, digest)
    return tags | {SPLIT: split_of(evaluation["dataset"])}


def _describe(
    client: MlflowClient,
    version: ModelVersion,
    evaluation: Mapping[str, Any],
    promotion: Mapping[str, Any],
) -> None:
    number = str(version.version)
    text = registry.described(evaluation, number, promotion)
    client.update_model_version(version.name, number, description=text)


def _aliases(
    client: MlflowClient,
    files: Files,
    promotion: Mapping[str, Any],
    version: ModelVersion | None,
) -> tuple[list[str], list[str]]:
    name = files.experiment
    champion = registry.by_alias(client, name, CHAMPION)
    current = champion.tags.get(DIGEST, "unknown") if champion is not None else None
    versions = client.search_model_versions(f"name = '{name}'", max_results=10_000)
    holding = {v.tags[DIGEST]: v for v in reversed(versions) if DIGEST in v.tags}
    by_digest = {digest: str(v.version) for digest, v in holding.items()}
    person = [t for v in (champion, version) if v is not None for t in _on_record(v)]
    wanted = wanted_champion(
        promotion,
        decisions.last_of(name),
        current,
        set(by_digest),
        max(person, key=lambda d: str(d["when"]), default=None),
    )
    notes, moved = [wanted.note] if wanted.note else [], []
    if wanted.champion is not None:
        decision = aside.set_aside(name, wanted.champion, holding[wanted.champion].tags)
        if decision is not None:  # by a person who had other files before them
            notes.append(f"version {by_digest[wanted.champion]} is {aside.in_words(decision)}")
            wanted = Wanted(None)
    if wanted.champion is not None:
        number = by_digest[wanted.champion]
        client.set_registered_model_alias(name, CHAMPION, number)
        moved.append(f"champion → version {number}")
    aliases = dict(client.get_registered_model(name).aliases) if versions else {}
    if version is not None and promotion["decision"] == CHALLENGER:
        newest = max(int(v.version) for v in versions)
        mine = str(version.version)
        holds = str(aliases.get(CHALLENGER, ""))
        if int(mine) == newest and mine not in (holds, str(aliases.get(CHAMPION, ""))):
            client.set_registered_model_alias(name, CHALLENGER, mine)
            moved.append(f"challenger → version {mine}")
    elif CHALLENGER in aliases and str(aliases[CHALLENGER]) == str(aliases.get(CHAMPION)):
        client.delete_registered_model_alias(name, CHALLENGER)
        moved.append("no challenger, since it is champion")
    return moved, notes


def _on_record(version: ModelVersion) -> list[dict[str, Any]]:
    found = [version.tags[key] for key in (PERSON, SET_ASIDE) if key in version.tags]
    return [json.loads(text) for text in found]
