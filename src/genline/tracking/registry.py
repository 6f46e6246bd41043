"""MLflow's registry: one registered model an experiment, one version a set of weights.

A version is found by the digest of its weights, so that registering twice makes one version. The
alias ``champion`` is the best so far and is moved last, in one step, so that there is never none;
``challenger`` is the newest that is not champion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genline.core.errors import GenlineError, TrackingError
from genline.core.files import digest_file
from genline.evaluation.items import read_items
from genline.tracking import card, kept_items, packaging
from genline.tracking.champion import Rescore, scored_again
from genline.tracking.config import Register
from genline.tracking.gate import Decision, Record, decide
from genline.tracking.locking import registering
from genline.tracking.names import (
    CHALLENGER,
    CHAMPION,
    DIGEST,
    ITEMS,
    PREDECESSOR,
    PROMOTION,
    RECORD,
    SPLIT,
    WAITS,
    as_tag,
)
from genline.tracking.runs import run_for_evaluation
from genline.tracking.store import Store, connect, experiment_id, one_line, resolve
from genline.tracking.superseding import rival, supersede, versions
from genline.tracking.vetoes import learned, respecting

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_AFTERWARDS = "Nothing is lost; then run `dvc repro` again"
_KEPT = (
    "value",
    "standard_error",
    "low",
    "high",
    "count",
    "floor",
    "better",
    "left_out",
    "degrees",
)


def promote(
    evaluation: Mapping[str, Any],
    items: Path,
    folder: Path,
    register: Register,
    rescore: Rescore | None = None,
    hold: bool = False,
    split: str | None = None,
) -> dict[str, Any]:
    """Register the model in ``folder``, let the gate decide, and return the promotion record.

    evaluation: the record of ``reports/evaluation/<experiment>.json``; its model digest is that
    of the folder's weights. items: ``reports/items/<experiment>.csv``, the likelihoods item by
    item, which are kept with the version for later candidates to be compared with. rescore:
    scores a champion again that was scored on other data or by another judge. hold: a version
    that the gate makes champion waits as challenger, which a tag says, until ``waiting.release``;
    the record is the same. split: the data set's ``prepare.split``, by which a champion of other
    data has learned from present test items, or has not and may be scored again. A version that a
    person set aside stays challenger until a person promotes it. Raises TrackingError with one
    line when MLflow cannot be used, DataError without items, and ParamsError when the metric
    cannot decide; the registry then is as it was, or holds a version that the next try goes on
    with.
    """
    store = resolve()
    try:
        client = connect(store)
        with registering(store, evaluation["experiment"]):
            return _promote(
                client, store, evaluation, items, folder, register, rescore, hold, split
            )
    except TrackingError as error:
        raise TrackingError(f"{error}. {_AFTERWARDS}") from None
    except GenlineError:
        raise
    except Exception as error:  # MLflow's own, SQLAlchemy's, requests', the operating system's
        raise TrackingError(
            f"MLflow at {store.shown} refused ({one_line(error)}). {_AFTERWARDS}"
        ) from error


def _promote(
    client: MlflowClient,
    store: Store,
    evaluation: Mapping[str, Any],
    items: Path,
    folder: Path,
    register: Register,
    rescore: Rescore | None,
    hold: bool,
    split: str | None,
) -> dict[str, Any]:
    def again() -> dict[str, Any]:
        return _promote(client, store, evaluation, items, folder, register, rescore, hold, split)

    name, candidate = evaluation["experiment"], Record.of(evaluation, read_items(items))
    known = versions(client, name)  # first, so that what it lacks came after the champion's look
    incumbent = by_alias(client, name, CHAMPION)
    champion = _record(client, incumbent) if incumbent is not None else None
    version = by_digest(client, name, candidate.digests["model"])
    leak = None if incumbent is None else learned(incumbent, evaluation, split)
    healthy = all(found["passed"] for found in candidate.health.values())
    if incumbent is not None and champion is not None and rescore is not None and healthy:
        same_items = champion.digests["data"] == candidate.digests["data"]
        if same_items or leak is None:
            champion = _rescored(client, incumbent, champion, candidate, rescore)
    decision = decide(candidate, champion, register, leak)
    if incumbent is None or incumbent.tags.get(DIGEST) != candidate.digests["model"]:
        decision = respecting(decision, name, candidate.digests["model"], version)
    promotion = _promotion(name, candidate, champion, decision, register)
    waits = hold and decision.outcome == CHAMPION
    if incumbent is not None and version is not None and _same(incumbent, version):
        # The same evidence as when it was promoted gives the same record.
        promotion = _earlier(incumbent, promotion) or promotion
        waits = False  # it is champion already
    tags = version_tags(evaluation, promotion, digest_file(items))
    tags |= predecessor_tags(incumbent, promotion)
    if split is not None:
        tags[SPLIT] = split
    if waits:
        tags[WAITS] = "to be merged"
    held = version is not None
    if version is None:
        version = create_version(client, store, evaluation, items, folder, tags)
    else:
        kept_items.keep(client, version.run_id, items)
        for key, value in tags.items():
            client.set_model_version_tag(name, version.version, key, value)
        if WAITS in version.tags and not waits:
            client.delete_model_version_tag(name, version.version, WAITS)
    number = str(version.version)
    text = card.with_note_of(
        (version.description or "") if held else "", described(evaluation, number, promotion)
    )
    client.update_model_version(name, number, description=text)
    now = by_alias(client, name, CHAMPION)
    if (now and str(now.version)) != (incumbent and str(incumbent.version)):
        # Another machine was quicker: its champion is the one to be better than.
        return again()
    move_aliases(client, name, number, CHALLENGER if waits else decision.outcome)
    if decision.outcome == CHAMPION and not waits:
        supersede(client, name, number)
        quicker = rival(client, version, incumbent, known)
        if quicker is not None:
            # It was made champion between the last look and the move, and never compared with.
            client.set_registered_model_alias(name, CHAMPION, quicker)
            return again()
    return promotion


def _promotion(
    name: str,
    candidate: Record,
    champion: Record | None,
    decision: Decision,
    register: Register,
) -> dict[str, Any]:
    same = champion is not None and champion.digests["model"] == candidate.digests["model"]
    other = None if same else champion
    found: dict[str, Any] = {}
    if other is not None and {**other.digests, "model": ""} == {**candidate.digests, "model": ""}:
        names = sorted(other.metrics.keys() & candidate.metrics.keys())
        found["champion_metrics"] = {metric: other.numbers(metric) for metric in names}
        if other.vocabulary is not None:
            found["vocabulary"] = dict(other.vocabulary)
    return found | {
        "experiment": name,
        "decision": decision.outcome,
        "reason": decision.reason,
        "metric": register.metric,
        "margin": register.margin,
        "candidate": candidate.numbers(register.metric),
        "champion": other.numbers(register.metric) if other and decision.compared else None,
        "digests": dict(candidate.digests),
        "against": None if other is None else other.digests["model"],
    }


def version_tags(
    evaluation: Mapping[str, Any], promotion: Mapping[str, Any], items: str | None
) -> dict[str, str]:
    """What a version carries: its digests, its figures and what the gate said of it.

    ``items`` is the digest of the likelihoods item by item that are kept with its run.
    """
    digests = evaluation["digests"]
    tags = {
        "genline.decision": promotion["decision"],
        "genline.reason": promotion["reason"],
        "genline.metric": promotion["metric"],
        DIGEST: digests["model"],
        "genline.data_digest": digests["data"],
        "genline.evaluator_digest": digests["evaluator"],
        PROMOTION: as_tag(promotion),
        RECORD: as_tag(_kept(evaluation)),
    }
    return tags if items is None else tags | {ITEMS: items}


def predecessor_tags(
    incumbent: ModelVersion | None, promotion: Mapping[str, Any]
) -> dict[str, str]:
    """Which version a new champion takes the place of: what a roll-back goes back to."""
    if incumbent is None or promotion["decision"] != CHAMPION:
        return {}
    if incumbent.tags.get(DIGEST) == promotion["digests"]["model"]:
        return {}
    return {PREDECESSOR: str(incumbent.version)}


def described(evaluation: Mapping[str, Any], number: str, promotion: Mapping[str, Any]) -> str:
    """A version's model card."""
    decision, reason = promotion["decision"], promotion["reason"]
    source = card.read_source(evaluation["dataset"])
    return card.model_card(evaluation, number, decision, reason, source)


def _rescored(
    client: MlflowClient,
    incumbent: ModelVersion,
    champion: Record,
    candidate: Record,
    rescore: Rescore,
) -> Record:
    """The champion as scored with the candidate's data, judge and settings, which is kept.

    As it stands where it is the candidate itself, or cannot be scored so.
    """
    if champion.digests["model"] == candidate.digests["model"]:
        return champion
    if all(champion.digests[k] == v for k, v in candidate.digests.items() if k != "model"):
        return champion
    with scored_again(client, incumbent, rescore) as (evaluation, items):
        if evaluation is None:
            return champion
        kept = as_tag(_kept(evaluation))
        if items is not None:
            kept_items.keep(client, incumbent.run_id, items)
            digest = digest_file(items)
            client.set_model_version_tag(incumbent.name, incumbent.version, ITEMS, digest)
        # The record last: items that do not fit it are of no more use than none.
        client.set_model_version_tag(incumbent.name, incumbent.version, RECORD, kept)
        return Record.of(evaluation, read_items(items) if items is not None else None)


def _earlier(version: ModelVersion, promotion: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of the champion's own promotion, if it rests on the same evidence."""
    kept = version.tags.get(PROMOTION)
    if kept is None:
        return None
    earlier: dict[str, Any] = json.loads(kept)
    evidence = ("decision", "metric", "margin", "candidate", "digests")
    return earlier if all(earlier.get(k) == promotion[k] for k in evidence) else None


def create_version(
    client: MlflowClient,
    store: Store,
    evaluation: Mapping[str, Any],
    items: Path | None,
    folder: Path,
    tags: dict[str, str],
) -> ModelVersion:
    """Log the model with the run that trained it and make a version of it, with all its tags."""
    import mlflow
    from mlflow.exceptions import MlflowException

    name = evaluation["experiment"]
    mlflow.set_tracking_uri(store.uri)
    mlflow.set_registry_uri(store.uri)
    place, digest = experiment_id(client, store, evaluation["dataset"]), tags[DIGEST]
    mlflow.set_experiment(experiment_id=place)
    run_id = run_for_evaluation(store, evaluation)
    if items is not None:
        kept_items.keep(client, run_id, items)
    uri = packaging.logged(client, place, run_id, digest)
    if uri is None:
        uri = packaging.log(folder, evaluation["kind"], name, run_id, digest)
    family = card.family_words(evaluation["family"])
    about = f"{family} on {evaluation['dataset']}. Load `models:/{name}@champion`."
    with suppress(MlflowException):  # it exists already
        client.create_registered_model(name, description=about)
    return client.create_model_version(
        name,
        source=uri,
        run_id=run_id,
        tags=tags,
        model_id=uri.rpartition("/")[2],
    )


def move_aliases(client: MlflowClient, name: str, version: str, outcome: str) -> None:
    """Give a version the alias of its outcome; a new champion is challenger no longer."""
    if outcome == CHALLENGER:
        client.set_registered_model_alias(name, CHALLENGER, version)
        return
    client.set_registered_model_alias(name, CHAMPION, version)
    challenger = by_alias(client, name, CHALLENGER)
    if challenger is not None and str(challenger.version) == version:
        client.delete_registered_model_alias(name, CHALLENGER)


def by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version of the model ``name`` that has the alias, None where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def by_digest(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    """The version that holds the weights with this digest, the first if somebody made two."""
    found = [v for v in versions(client, name) if v.tags.get(DIGEST) == digest]
    return min(found, key=lambda v: int(v.version)) if found else None


def _same(one: ModelVersion, other: ModelVersion) -> bool:
    # A server gives the number as text, a database as a number.
    return str(one.version) == str(other.version)


def _record(client: MlflowClient, version: ModelVersion) -> Record:
    kept = version.tags.get(RECORD)
    if kept is None:
        raise TrackingError(
            f"version {version.version} of '{version.name}' is champion but was not registered by "
            "genline (it has no record to compare with); remove its alias 'champion' in MLflow"
        )
    items = kept_items.fetch(client, version.run_id, version.tags.get(ITEMS, ""))
    return Record.of(json.loads(kept), items)


def _kept(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    metrics = {
        name: {key: metric[key] for key in _KEPT if key in metric}
        for name, metric in evaluation["metrics"].items()
    }
    kept = {
        key: evaluation[key] for key in ("digests", "health", "vocabulary") if key in evaluation
    }
    return {**kept, "metrics": metrics}
