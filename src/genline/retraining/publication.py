"""The result as one commit on one branch, and the request to take it. HEAD and main never move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genline.core.params import PARAMS_FILE
from genline.retraining import difference
from genline.retraining.config import Retrain
from genline.retraining.difference import Difference
from genline.retraining.errors import RetrainError
from genline.retraining.git import Git
from genline.retraining.pipeline import LOCK_FILE, read_lock
from genline.retraining.requests import PullRequests, Request

_TRAILER = "Genline-Retrain"  # in the messages of its own commits, with the base
# What a run writes and git keeps. The ignore files are DVC's, for the outputs of new entries.
WRITTEN = (str(LOCK_FILE), str(PARAMS_FILE), "reports", ":(glob)**/.gitignore")


@dataclass(frozen=True)
class Remote:
    """The git remote as a step found it."""

    base: str  # the commit of the main branch
    branch: str | None  # that of the branch of results, where there is one


def look(git: Git, settings: Retrain) -> Remote:
    """Where the remote's branches are.

    Raises RetrainError when it is away, has no such base, HEAD is not part of it, or somebody
    else's commits stand on the branch of results.
    """
    base = git.tip(settings.remote, _head(settings.base))
    if base is None:
        raise RetrainError(
            f"the git remote '{settings.remote}' has no branch '{settings.base}'; push it there, "
            "or set retrain.base in params.yaml"
        )
    if not git.ancestor("HEAD", base):
        raise RetrainError(
            f"HEAD is not part of {settings.remote}/{settings.base}; retrain works on what is "
            "there: push or merge your commits first"
        )
    branch = git.tip(settings.remote, _head(settings.branch))
    if branch is not None:
        _refuse_others(git, settings, base, branch)
    return Remote(base, branch)


def offered(git: Git, remote: Remote) -> str | None:
    """The branch's commit if it is a result for the files of HEAD, and not merged yet."""
    if remote.branch is None or git.ancestor(remote.branch, remote.base):
        return None
    made_on = _trailer(git, remote.branch)
    return remote.branch if made_on and made_on == git.run("rev-parse", "HEAD") else None


def changed_by_hand(git: Git) -> list[str]:
    """Tracked files that differ from HEAD, what a run writes aside, and untracked sources."""
    others = [f":(exclude){path}" for path in WRITTEN[:3]]
    asked = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    rows = git.lines("status", *asked, "--", ".", *others)
    changed = [row for row in rows if len(row) > 3 and not row.endswith(".gitignore")]
    # What git does not know yet matters only where code and expectations are.
    parts = ("src/", "data/expectations/")
    return [r[3:] for r in changed if not r.startswith("??") or r[3:].startswith(parts)]


def written(git: Git, root: Path) -> dict[str, bytes | None]:
    """The files that a result consists of, as they stand; None for one that is gone."""
    named = git.lines(
        "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *WRITTEN
    )
    places = {name: root / name for name in sorted(set(named))}
    return {n: p.read_bytes() if p.is_file() else None for n, p in places.items()}


def publish(
    git: Git,
    settings: Retrain,
    files: Mapping[str, bytes | None],
    result: Difference,
    requests: PullRequests | None,
    seen: Remote,
) -> str:
    """Commit ``files`` on the branch, push it and ask to take it; what was done, in a sentence.

    Raises RetrainError when a branch moved since it was ``seen`` in a way that matters, or the
    remote or the forge refuses; HEAD, the index and the main branch are as they were.
    """
    now = look(git, settings)
    parent = _parent(git, settings, now.base, files)
    commit = git.commit(parent, files, f"{result.title}\n\n{_TRAILER}: {parent}")
    if now.branch is not None and _same(git, now.branch, commit):
        commit = now.branch
        word = "already holds this result"
    else:
        # Whoever moved it made another result: whose it is to replace is not ours to say.
        if now.branch != seen.branch or not git.push(
            settings.remote, commit, _head(settings.branch), seen.branch
        ):
            raise RetrainError(
                f"the branch '{settings.branch}' moved meanwhile in '{settings.remote}'; nothing "
                "was pushed over it: run again"
            )
        word = f"is at {commit[:12]}"
    said = f"the branch '{settings.branch}' {word}"
    return f"{said}; {offer(settings, commit, result, requests)}"


def offer(settings: Retrain, commit: str, result: Difference, requests: PullRequests | None) -> str:
    """Ask to take the branch, as its commit says; in a clause what was done."""
    if requests is None:
        return "no pull request is wanted (retrain.pull_request)"
    text = result.text
    for name in result.pictures:
        text = text.replace(f"({name})", f"({requests.picture(commit, name)})")
    asked = Request(settings.branch, settings.base, commit, result.title, text)
    return f"the pull request is {requests.offer(asked)}"


def kept(git: Git, commit: str) -> Difference:
    """The difference as a commit of the branch tells it."""
    names = git.lines("ls-tree", "-r", "-z", "--name-only", commit, "--", difference.PICTURES)
    pictures = {name: git.raw("cat-file", "blob", f"{commit}:{name}") for name in names}
    text = git.maybe("cat-file", "blob", f"{commit}:{difference.FILE}") or ""
    return difference.from_files(text, pictures)


def _parent(git: Git, settings: Retrain, base: str, files: Mapping[str, bytes | None]) -> str:
    """The commit to build on: the base's, if what came to it does not touch the result."""
    head = git.run("rev-parse", "HEAD")
    if head == base:
        return base
    # The result's own lock: HEAD's does not know what a new dataset or a first run reads.
    stages = read_lock(files.get(str(LOCK_FILE))).values()
    deps = {dep["path"] for stage in stages for dep in stage.get("deps", [])}
    inputs = (*deps, "dvc.yaml", *WRITTEN[:3])
    changed = git.lines("diff", "--name-only", "-z", head, base)
    for path in changed:
        if any(path == i or path.startswith(f"{i}/") for i in inputs):
            raise RetrainError(
                f"{settings.remote}/{settings.base} moved meanwhile and {path} changed there; "
                "nothing was pushed: pull it and run again, what was trained is kept"
            )
    return base


def _refuse_others(git: Git, settings: Retrain, base: str, branch: str) -> None:
    for commit in git.run("rev-list", f"{base}..{branch}").split():
        if not _trailer(git, commit):
            about = git.run("log", "-1", "--format=%h (%s)", commit)
            raise RetrainError(
                f"the branch '{settings.branch}' holds {about}, which retrain did not make; merge "
                "it or delete the branch, then run again"
            )


def _trailer(git: Git, commit: str) -> str:
    return git.run("log", "-1", f"--format=%(trailers:key={_TRAILER},valueonly)", commit).strip()


def _same(git: Git, one: str, other: str) -> bool:
    """Whether two commits have the same files and parents."""
    shown = [git.run("log", "-1", "--format=%T %P", commit) for commit in (one, other)]
    return shown[0] == shown[1]


def _head(branch: str) -> str:
    return f"refs/heads/{branch}"
