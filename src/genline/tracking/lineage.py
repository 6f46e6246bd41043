"""Where a model came from: found in MLflow by what names it, else in the project's own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from genline.core.errors import GenlineError, ModelError, TrackingError, nearest
from genline.core.files import read_json
from genline.tracking import packages, patch, provenance, validation
from genline.tracking.decisions import read_decisions
from genline.tracking.names import DIGEST, PROMOTION, RECORD
from genline.tracking.reading import Reader, SeenRun, Version, open_reader, versions_of
from genline.tracking.references import Found, is_folder, resolve_model
from genline.tracking.store import resolve
from genline.tracking.weights import model_digest


@dataclass(frozen=True)
class Code:
    """``commit`` with ``patch`` on top, where the tree was not clean, is the code that ran.

    ``kept`` says where the patch is, or why there is none; ``None`` for a clean tree.
    """

    commit: str | None
    dirty: bool
    kept: str | None = None
    patch: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Lineage:
    """All that is known of a model's origin; what is not known is None or empty."""

    model: str  # digest of the weights
    experiment: str | None
    dataset: str | None
    version: str | None  # registered as name/number
    aliases: tuple[str, ...]
    run: str | None
    recipe: str | None  # digest of parameters, data and code
    params: Mapping[str, str]
    packages: Mapping[str, str]
    packages_from: str
    code: Code
    digests: Mapping[str, str]  # of data, evaluator and protocol
    validation: Mapping[str, Any] | None
    metrics: Mapping[str, Mapping[str, Any]]
    health: Mapping[str, Mapping[str, Any]]
    decision: Mapping[str, Any] | None
    compared_with: str | None  # the champion of then, as name/number or a digest
    people: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        value = asdict(self)
        value["code"]["patch"] = len(self.code.patch) if self.code.patch is not None else None
        value["code"]["patch_bytes"] = value["code"].pop("patch")
        return value


def trace(text: str) -> Lineage:
    """The lineage of the model that ``text`` names: name@alias, name/version, run id or folder.

    Raises ModelError with one line when nothing has that name, offering the nearest, or when a
    folder's model is damaged or on no record; TrackingError when MLflow cannot be read.
    """
    if not is_folder(text):
        reader = open_reader(resolve())
        found = resolve_model(reader, text)
        return _of_books(reader, found)
    folder = Path(text)
    if not folder.is_dir():
        beside = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise ModelError(f"{text}: no such folder; {nearest(folder.name, beside)}")
    digest = model_digest(folder)
    try:
        reader = open_reader(resolve())
        runs, versions = reader.runs_of(digest), versions_of(reader, digest)
    except TrackingError:
        return _of_files(folder, digest)
    if not runs and not versions:
        return _of_files(folder, digest)
    version = versions[0] if versions else None
    own = reader.run(version.run_id) if version is not None and version.run_id else None
    return _of_books(reader, Found(version, own or (runs[0] if runs else None), folder))


def _of_books(reader: Reader, found: Found) -> Lineage:
    version, run = found.version, found.run
    tags = {**(run.tags if run else {}), **(version.tags if version else {})}
    if DIGEST not in tags:
        what = f"version {version.number} of {version.name}" if version else "that run"
        raise ModelError(f"{what} carries no digest of a model: it did not finish, or is not ours")
    record = _record(reader, version, run)
    promotion = json.loads(tags[PROMOTION]) if PROMOTION in tags else None
    code = _code(reader, run)
    held, held_from = _packages(reader, run, code)
    experiment = tags.get("genline.experiment") or (version.name if version else None)
    digests = dict(record.get("digests", {}))
    digests.setdefault("data", tags.get("genline.data_digest", ""))
    checked = _json(reader.artifact(run, validation.FILE)) if run else None
    dataset = record.get("dataset") or (run.params.get("dataset") if run else None)
    return Lineage(
        model=tags[DIGEST],
        experiment=experiment,
        dataset=dataset,
        version=f"{version.name}/{version.number}" if version else None,
        aliases=version.aliases if version else (),
        run=run.run_id if run else None,
        recipe=tags.get("genline.recipe_digest"),
        params=run.params if run else {},
        packages=held,
        packages_from=held_from,
        code=code,
        digests={k: v for k, v in digests.items() if k != "model" and v},
        validation=checked or _validation_here(dataset, digests.get("data")),
        metrics=record.get("metrics", {}),
        health=record.get("health", {}),
        decision=promotion,
        compared_with=_compared(reader, version, promotion),
        people=_people(tags[DIGEST]),
    )


def _of_files(folder: Path, digest: str) -> Lineage:
    """From the project's files alone: MLflow is away, or knows nothing of these weights."""
    experiment = folder.name
    record = _optional(Path(f"reports/evaluation/{experiment}.json"))
    if record is None or record["digests"]["model"] != digest:
        raise ModelError(
            f"{folder}: no record of these weights ({digest[:12]}…), neither in MLflow nor in "
            f"reports/evaluation/{experiment}.json; `dvc checkout --force {folder}` brings back "
            "those that dvc.lock names"
        )
    from genline.tracking.records import used_params

    promotion = _optional(Path(f"reports/promotion/{experiment}.json"))
    if promotion is not None and promotion["digests"]["model"] != digest:
        promotion = None
    commit = provenance.commit_of_model(experiment)
    tags = provenance.commit_tags() if commit is None else {}
    dirty = tags.get("genline.dirty") == "true"
    reason = "the working tree as it is now" if dirty else None
    code = Code(commit or tags.get("genline.commit"), dirty, reason)
    if dirty:
        code = Code(code.commit, True, reason, patch.working_patch().content)
    held, held_from = _packages(None, None, code)
    digests = {k: v for k, v in record["digests"].items() if k != "model"}
    against = promotion.get("against") if promotion else None
    return Lineage(
        model=digest,
        experiment=experiment,
        dataset=record["dataset"],
        version=None,
        aliases=(),
        run=None,
        recipe=None,
        params=provenance.flatten(used_params(experiment)),
        packages=held,
        packages_from=held_from,
        code=code,
        digests=digests,
        validation=_validation_here(record["dataset"], digests["data"]),
        metrics=record["metrics"],
        health=record["health"],
        decision=promotion,
        compared_with=against,
        people=_people(digest),
    )


def _record(reader: Reader, version: Version | None, run: SeenRun | None) -> dict[str, Any]:
    """The figures: the run's own evaluation, newer where the version was scored again."""
    record = _json(reader.artifact(run, "evaluation.json")) if run else None
    newer = json.loads(version.tags[RECORD]) if version and RECORD in version.tags else {}
    return {**(record or {}), **newer}


def _code(reader: Reader, run: SeenRun | None) -> Code:
    tags = run.tags if run else {}
    commit, dirty = tags.get("genline.commit"), tags.get("genline.dirty") == "true"
    if not dirty or run is None:
        return Code(commit, dirty)
    kept = tags.get("genline.patch")
    if kept is None or not kept.startswith(patch.FILE):
        return Code(commit, True, kept or "not kept")
    return Code(commit, True, kept.split()[0], reader.artifact(run, patch.FILE))


def _packages(reader: Reader | None, run: SeenRun | None, code: Code) -> tuple[dict[str, str], str]:
    kept = _json(reader.artifact(run, packages.FILE)) if reader and run else None
    if kept:
        return kept, "as they were installed"
    locked = provenance.file_at(code.commit, "requirements.lock") if code.commit else None
    if locked is None:
        return {}, "not known"
    return packages.locked(locked), "requirements.lock of that commit"


def _compared(
    reader: Reader, version: Version | None, promotion: Mapping[str, Any] | None
) -> str | None:
    against = promotion.get("against") if promotion else None
    if against is None or version is None:
        return against
    found = [v for v in reader.versions(version.name) if v.tags.get(DIGEST) == against]
    return f"{found[0].name}/{found[0].number}" if found else str(against)


def _people(digest: str) -> tuple[Mapping[str, Any], ...]:
    try:
        return tuple(d for d in read_decisions() if digest in (d["model"], d["previous"]))
    except GenlineError:
        return ()


def _validation_here(dataset: str | None, data: str | None) -> dict[str, Any] | None:
    """The data's validation as it stands here, if here is the data of that digest."""
    from genline.core.files import digest_value

    meta = _optional(Path(f"data/prepared/{dataset}/meta.json"))
    result = _optional(Path(f"data/validated/{dataset}/result.json"))
    if meta is None or result is None or digest_value(meta) != data:
        return None
    return validation.summary(result)


def _optional(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def _json(content: bytes | None) -> Any:
    try:
        return None if content is None else json.loads(content)
    except ValueError:
        return None
