"""Pull requests: one for the branch, opened or brought up to date, wherever the repository lives.

Each place implements :class:`PullRequests`. A token is read from the environment and appears in
no message.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from genline.retraining.config import Retrain
from genline.retraining.errors import RetrainError
from genline.retraining.git import Git

SECONDS = 30.0
TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN")
_LONGEST = 60_000  # characters of a text; GitHub takes 65,536


@dataclass(frozen=True)
class Request:
    """What is asked: to take ``branch``, at ``commit``, into ``base``."""

    branch: str
    base: str
    commit: str
    title: str
    text: str  # Markdown


class PullRequests(Protocol):
    """A place where pull requests are kept."""

    def known(self, branch: str, base: str, commit: str) -> bool:
        """Whether a request for this commit was ever made, open or closed."""

    def offer(self, request: Request) -> str:
        """Open the request, or bring the branch's open one up to date; where it is to be seen.

        Raises RetrainError when the place is away or refuses.
        """

    def picture(self, commit: str, path: str) -> str:
        """The address of an image that the commit holds."""


def place(settings: Retrain, git: Git) -> PullRequests | None:
    """Where ``retrain.pull_request`` says; None where no request is wanted.

    Raises RetrainError when a token or the repository's name is missing.
    """
    if settings.pull_request == "none":
        return None
    if settings.pull_request == "ref":
        return RefRequests(git, settings.remote)
    if settings.pull_request == "gitlab":
        return GitLab(
            api=_needed("CI_API_V4_URL", "the address of GitLab's API"),
            project=_needed("CI_PROJECT_ID", "the project's number"),
            page=os.environ.get("CI_PROJECT_URL", ""),
            token=_needed("GITLAB_TOKEN", "a project access token with the scope api"),
        )
    return GitHub(
        api=os.environ.get("GITHUB_API_URL") or "https://api.github.com",
        server=os.environ.get("GITHUB_SERVER_URL") or "https://github.com",
        repository=os.environ.get("GITHUB_REPOSITORY") or _repository(git, settings.remote),
        token=os.environ.get("GH_TOKEN")
        or _needed("GITHUB_TOKEN", "a token that may write contents and pull requests"),
    )


class RefRequests:
    """Kept in the git remote itself, under ``refs/pull-requests/<branch>``.

    For a repository without a forge: the ref's commit is on top of the one that is offered, and
    its message is the request. ``git fetch origin refs/pull-requests/genline/retrain && git log
    -1 FETCH_HEAD`` shows it.
    """

    def __init__(self, git: Git, remote: str) -> None:
        self._git, self._remote = git, remote

    def known(self, branch: str, base: str, commit: str) -> bool:
        tip = self._git.tip(self._remote, _ref(branch))
        return tip is not None and self._git.run("rev-parse", f"{tip}^") == commit

    def offer(self, request: Request) -> str:
        ref = _ref(request.branch)
        message = f"{request.title}\n\nInto {request.base}\n\n{request.text}"
        seen = self._git.tip(self._remote, ref)
        made = self._git.commit(request.commit, {}, message)
        if not self._git.push(self._remote, made, ref, seen):
            raise RetrainError(f"{ref} moved meanwhile in '{self._remote}'; run again")
        return ref

    def picture(self, commit: str, path: str) -> str:
        return path


class GitHub:
    """https://docs.github.com/rest/pulls"""

    def __init__(self, api: str, server: str, repository: str, token: str) -> None:
        self._api = f"{api.rstrip('/')}/repos/{repository}"
        self._server, self._repository = server.rstrip("/"), repository
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def known(self, branch: str, base: str, commit: str) -> bool:
        return any(found["head"]["sha"] == commit for found in self._find(branch, base, "all"))

    def offer(self, request: Request) -> str:
        text = {"title": request.title, "body": _shortened(request.text)}
        found = self._find(request.branch, request.base, "open")
        if found:
            made = self._call("PATCH", f"/pulls/{found[0]['number']}", text)
        else:
            made = self._call(
                "POST", "/pulls", {**text, "head": request.branch, "base": request.base}
            )
        return str(made["html_url"])

    def picture(self, commit: str, path: str) -> str:
        return f"{self._server}/{self._repository}/blob/{commit}/{path}?raw=true"

    def _find(self, branch: str, base: str, state: str) -> list[Any]:
        head = f"{self._repository.partition('/')[0]}:{branch}"
        asked = urllib.parse.urlencode({"head": head, "base": base, "state": state})
        return list(self._call("GET", f"/pulls?{asked}"))

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return _call("GitHub", method, self._api + path, self._headers, body)


class GitLab:
    """https://docs.gitlab.com/api/merge_requests/"""

    def __init__(self, api: str, project: str, page: str, token: str) -> None:
        number = urllib.parse.quote(project, safe="")
        self._api = f"{api.rstrip('/')}/projects/{number}/merge_requests"
        self._page, self._headers = page.rstrip("/"), {"PRIVATE-TOKEN": token}

    def known(self, branch: str, base: str, commit: str) -> bool:
        return any(found["sha"] == commit for found in self._find(branch, base, "all"))

    def offer(self, request: Request) -> str:
        text = {"title": request.title, "description": _shortened(request.text)}
        found = self._find(request.branch, request.base, "opened")
        if found:
            made = self._call("PUT", f"/{found[0]['iid']}", text)
        else:
            ends = {"source_branch": request.branch, "target_branch": request.base}
            made = self._call("POST", "", {**text, **ends})
        return str(made["web_url"])

    def picture(self, commit: str, path: str) -> str:
        return f"{self._page}/-/raw/{commit}/{path}"

    def _find(self, branch: str, base: str, state: str) -> list[Any]:
        asked = urllib.parse.urlencode(
            {"source_branch": branch, "target_branch": base, "state": state}
        )
        return list(self._call("GET", f"?{asked}"))

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return _call("GitLab", method, self._api + path, self._headers, body)


def _call(
    name: str, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, method=method)
    for key, value in {**headers, "Content-Type": "application/json"}.items():
        asked.add_unredirected_header(key, value)  # a token stays with the host it is for
    try:
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RetrainError(
            f"{name} refused ({error.code}{_told(error)}); {_advice(error.code)}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise RetrainError(
            f"{name} does not answer ({reason}); the branch is pushed, so run "
            "`genline retrain --only publish` again"
        ) from None


def _told(error: urllib.error.HTTPError) -> str:
    try:
        said = json.load(error).get("message", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return f": {str(said)[:120]}" if said else ""


def _advice(code: int) -> str:
    if code in (401, 403, 404):
        return "give a token that may write contents and pull requests of this repository"
    return "then run `genline retrain --only publish` again"


def _needed(variable: str, what: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise RetrainError(
            f"{variable} is not set; set it to {what}, or retrain.pull_request in params.yaml to "
            "'none' (docs/ci.md)"
        )
    return value


def _repository(git: Git, remote: str) -> str:
    """``owner/name`` out of the remote's address."""
    url = git.maybe("remote", "get-url", remote) or ""
    path = urllib.parse.urlsplit(url).path if "://" in url else url.rpartition(":")[2]
    parts = path.removesuffix(".git").strip("/").split("/")
    if len(parts) != 2 or not all(parts):
        raise RetrainError(
            f"the address of the git remote '{remote}' names no GitHub repository; set "
            "GITHUB_REPOSITORY to owner/name"
        )
    return "/".join(parts)


def _ref(branch: str) -> str:
    return f"refs/pull-requests/{branch}"


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n\n… the rest stands in reports/difference.md.\n"
