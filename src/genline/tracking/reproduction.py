"""A model trained again from its own commit, patch and data, and its digest compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from genline.core.errors import GenlineError, ModelError
from genline.core.files import digest_file, digest_value, read_json
from genline.models import WEIGHTS
from genline.tracking import git, packages, provenance
from genline.tracking.lineage import Lineage, trace
from genline.tracking.store import one_line

_PLACE = Path(".genline/reproduce")
_GIT_SECONDS = 120.0


@dataclass(frozen=True)
class Reproduced:
    """``differences`` are what is known to be other than it was, one sentence each."""

    experiment: str
    wanted: str
    got: str
    differences: tuple[str, ...]
    place: Path

    @property
    def same(self) -> bool:
        return self.wanted == self.got


def reproduce(text: str, keep: bool = False) -> Reproduced:
    """Train the model that ``text`` names again, in a git worktree of its own below ``.genline``.

    Its data comes out of DVC's cache or is made again; the training always runs, whatever DVC's
    run cache remembers. The worktree is removed when the digest is the same, unless ``keep``.
    Raises ModelError with one line when the origin is not known well enough, or a step fails; the
    worktree then is kept. Nothing in the project or in its MLflow is changed.
    """
    root = Path.cwd()
    lineage = trace(text)
    experiment, dataset, commit = lineage.experiment, lineage.dataset, lineage.code.commit
    if experiment is None or dataset is None:
        raise ModelError(f"{text}: its experiment or its data set is on no record")
    if commit is None:
        raise ModelError(f"{text}: no commit is on record; it was trained outside a repository")
    if _git(root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise ModelError(f"commit {commit} of {text} is not in this repository: `git fetch` it")
    place = root / _PLACE / f"{experiment}-{lineage.model[:12]}"
    with _alone(place):
        project = _worktree(root, place, lineage)
        _share_cache(root, project)
        environment = _environment(project)
        pull = ["--pull"] if _has_remote(project) else []
        print(f"data: {dataset}, out of DVC's cache or made again", flush=True)
        _dvc(project, environment, "repro", *pull, f"prepare@{dataset}")
        print(f"training {experiment} at {commit[:12]}", flush=True)
        stage = f"train@{experiment}"
        _dvc(project, environment, "repro", "--single-item", "--force", "--no-run-cache", stage)
        got = digest_file(project / "models" / experiment / WEIGHTS)
        found = Reproduced(
            experiment, lineage.model, got, tuple(_differences(lineage, project)), place
        )
        if found.same and not keep:
            _remove(root, place)
        return found


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ModelError(f"{place} is in use: this model is being reproduced already") from None
    try:
        yield
    finally:
        lock.release()


def _worktree(root: Path, place: Path, lineage: Lineage) -> Path:
    """The project in a new worktree at the model's commit, with its patch applied."""
    _remove(root, place)
    code = lineage.code
    made = _git(root, "worktree", "add", "--quiet", "--detach", str(place), str(code.commit))
    if made is None:
        raise ModelError(f"git cannot make a worktree in {place}; see `git worktree list`")
    if code.dirty and code.patch is None:
        print(
            f"its tree had changes on top of {str(code.commit)[:12]} that were not kept "
            f"({code.kept}): trained without them",
            file=sys.stderr,
            flush=True,
        )
    elif code.patch and _git(place, "apply", "--whitespace=nowarn", given=code.patch) is None:
        raise ModelError(f"its patch does not fit commit {code.commit}; it was kept in {place}")
    prefix = _git(root, "rev-parse", "--show-prefix") or ""
    return place / prefix.strip()


def _share_cache(root: Path, project: Path) -> None:
    """The worktree's DVC uses this project's remotes and cache, from which data comes at once."""
    local = root / ".dvc" / "config.local"
    if local.is_file():
        shutil.copyfile(local, project / ".dvc" / "config.local")
    cache = subprocess.run(
        [_program("dvc"), "cache", "dir"], cwd=root, capture_output=True, text=True
    ).stdout.strip()
    if cache:
        absolute = str((root / cache).resolve())
        _dvc(project, dict(os.environ), "cache", "dir", "--quiet", "--local", absolute)


def _environment(project: Path) -> dict[str, str]:
    """Stages run the worktree's code, and tell a database of its own what they did."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    kept["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(project / "src"), os.environ.get("PYTHONPATH")])
    )
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    kept["MLFLOW_TRACKING_URI"] = f"sqlite:///{project / '.genline' / 'mlflow.db'}"
    return kept


def _has_remote(project: Path) -> bool:
    configs = [project / ".dvc" / name for name in ("config", "config.local")]
    return any("['remote " in c.read_text() for c in configs if c.is_file())


def _differences(lineage: Lineage, project: Path) -> Iterator[str]:
    """What is known to be other than when the model was trained."""
    now = packages.installed()
    for name, version in lineage.packages.items():
        if name in now and _release(now[name]) != _release(version):
            yield f"{name} is {now[name]}, was {version}"
    meta = project / "data/prepared" / str(lineage.dataset) / "meta.json"
    data, known = digest_value(read_json(meta)) if meta.is_file() else None, lineage.digests
    if known.get("data") and data != known["data"]:
        yield f"the data is {str(data)[:12]}, was {known['data'][:12]}"
    flat = _params(project, str(lineage.experiment))
    for key in sorted(flat.keys() & lineage.params.keys()):
        if flat[key] != lineage.params[key]:
            yield f"{key} is {flat[key]}, was {lineage.params[key]}"
    if lineage.code.dirty and lineage.code.patch is None:
        yield "the changes on top of its commit were not kept"


def _params(project: Path, experiment: str) -> Mapping[str, str]:
    locked = provenance.locked_params(f"train@{experiment}", project) or {}
    prefix = f"experiments.{experiment}."
    return provenance.flatten({key.removeprefix(prefix): v for key, v in locked.items()})


def _release(version: str) -> str:
    # A local part such as +cpu names a build of the same release.
    return version.partition("+")[0]


def _remove(root: Path, place: Path) -> None:
    if place.exists():
        _git(root, "worktree", "remove", "--force", str(place))
        shutil.rmtree(place, ignore_errors=True)
    _git(root, "worktree", "prune")


def _dvc(project: Path, environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([_program("dvc"), *arguments], cwd=project, env=environment)
    if done.returncode != 0:
        raise ModelError(
            f"`dvc {' '.join(arguments)}` failed in {project}, which is kept: see its lines above"
        )


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise GenlineError(f"{name} is not installed: `make setup`")
    return found


def _git(root: Path, *arguments: str, given: bytes | None = None) -> str | None:
    """What git prints; None, after its own line, when it fails."""
    try:
        return git.ask(root, *arguments, given=given, seconds=_GIT_SECONDS).decode(errors="replace")
    except git.GitError as error:
        print(one_line(error), flush=True)
        return None
