"""What says where a run came from: commit, stage, parameters, and the pipeline's own files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_GIT_SECONDS = 10.0
# libyaml's where PyYAML has it: a dvc.lock takes 0.04 s instead of 0.2, in every stage.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What the pipeline itself writes into the working tree: changed in every run, so no sign of one.
WRITTEN = ("reports", "dvc.lock")


def commit_tags(root: Path | None = None) -> dict[str, str]:
    """``genline.commit`` (HEAD) and ``genline.dirty``; empty where git does not hold the project.

    Dirty means that the commit alone would not reproduce the run: a file was changed or added,
    other than those that the pipeline writes.
    """
    root = root or Path.cwd()
    # An archive unpacked inside another repository is not part of its history.
    if _git(root, "ls-files", "--error-unmatch", "params.yaml") is None:
        return {}
    head = _git(root, "rev-parse", "--verify", "HEAD")
    if head is None:
        return {}
    excluded = [f":(exclude){path}" for path in WRITTEN]
    changes = _git(root, "status", "--porcelain", "--", ".", *excluded)
    return {"genline.commit": head, "genline.dirty": "true" if changes else "false"}


def commit_of_model(experiment: str, root: Path | None = None) -> str | None:
    """The commit whose ``dvc.lock`` first named the model that stands in ``models/``.

    A run's own commit is the one before it, since ``dvc repro`` runs before its results are
    committed; where the run is not known, this is the commit that holds its code and parameters.
    """
    root = root or Path.cwd()
    try:
        entry = _stages(root / "dvc.lock")[f"train@{experiment}"]
        outs = {out["path"]: out["md5"] for out in entry["outs"]}
        md5 = outs[f"models/{experiment}"]
    except (KeyError, TypeError):
        return None
    found = _git(root, "log", "--format=%H", f"-S{md5}", "--", "dvc.lock")
    return found.splitlines()[-1] if found else None


def file_at(commit: str, name: str, root: Path | None = None) -> str | None:
    """The text of a file of the project at a commit; None where git does not have it."""
    return _git(root or Path.cwd(), "show", f"{commit}:./{name}")


def stage_tags() -> dict[str, str]:
    """``genline.stage``, the DVC stage that runs; empty outside DVC."""
    stage = os.environ.get("DVC_STAGE")
    return {"genline.stage": stage} if stage else {}


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters under dotted names, values as text."""
    flat: dict[str, str] = {}
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = str(value)
    return flat


def pipeline_slices(
    experiment: str, dataset: str, stage: str, root: Path | None = None
) -> dict[str, str]:
    """The parts of ``dvc.yaml`` and ``dvc.lock`` that concern a stage, as YAML by file name.

    Of the lock: the entries of the dataset's stages and of the experiment's. DVC writes a
    stage's own entry after it has run, so the running stage's is that of the run before it.
    A file that is missing or not readable gives no slice.
    """
    root = root or Path.cwd()
    slices: dict[str, str] = {}
    stages = _stages(root / "dvc.yaml")
    if stage in stages:
        slices["dvc.yaml"] = _dump({"stages": {stage: stages[stage]}})
    wanted = {dataset, experiment}
    locked = {
        name: entry
        for name, entry in _stages(root / "dvc.lock").items()
        if name.rpartition("@")[2] in wanted
    }
    if locked:
        slices["dvc.lock"] = _dump({"stages": locked})
    return slices


def locked_params(stage: str, root: Path | None = None) -> dict[str, Any] | None:
    """The parameters, by dotted key, that a stage last ran with; None where dvc.lock has none."""
    try:
        found = _stages((root or Path.cwd()) / "dvc.lock")[stage]["params"]["params.yaml"]
    except (KeyError, TypeError):
        return None
    return dict(found) if isinstance(found, dict) else None


def _stages(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    stages = content.get("stages") if isinstance(content, dict) else None
    return stages if isinstance(stages, dict) else {}


def _dump(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
