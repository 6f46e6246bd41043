"""Pull requests against servers that answer as GitHub and GitLab do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from genline.retraining.config import Retrain
from genline.retraining.errors import RetrainError
from genline.retraining.git import Git
from genline.retraining.requests import GitHub, GitLab, Request, place

ASKED = Request("genline/retrain", "main", "abc", "Title", "Text")


class Forge(ThreadingHTTPServer):
    """Keeps requests in a list; ``refuse`` is a status to answer with instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.kept: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        self.refuse = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Forge

    def _do(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"null")
        self.server.calls.append((self.command, self.path, dict(self.headers)))
        if self.server.refuse:
            self._answer(self.server.refuse, {"message": "Bad credentials"})
            return
        parts = urlsplit(self.path)
        if self.command == "GET":
            state = parse_qs(parts.query)["state"][0]
            wanted = {"open": "open", "opened": "open"}.get(state)
            self._answer(200, [k for k in self.server.kept if wanted in (None, k["state"])])
            return
        if self.command == "POST":
            number = len(self.server.kept) + 1
            page = f"https://forge/{number}"
            self.server.kept.append(
                {
                    "number": number,
                    "iid": number,
                    "state": "open",
                    "html_url": page,
                    "web_url": page,
                    "sha": "abc",
                    "head_commit": "abc",
                }
            )
            self.server.kept[-1] |= {**body, "head": {"sha": "abc"}}
        else:
            self.server.kept[int(parts.path.rsplit("/", 1)[1]) - 1] |= body
        self._answer(200, self.server.kept[-1])

    do_GET = do_POST = do_PATCH = do_PUT = _do  # noqa: N815

    def _answer(self, status: int, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(params=["github", "gitlab"])
def requests(request: pytest.FixtureRequest, forge: Forge) -> GitHub | GitLab:
    if request.param == "github":
        return GitHub(forge.url, "https://github.com", "owner/name", "secret")
    return GitLab(forge.url, "7", "https://gitlab.com/owner/name", "secret")


def test_a_request_is_opened_once_and_then_brought_up_to_date(
    forge: Forge, requests: GitHub | GitLab
) -> None:
    assert not requests.known("genline/retrain", "main", "abc")
    assert requests.offer(ASKED) == "https://forge/1"
    later = Request("genline/retrain", "main", "def", "Other title", "Other text")
    assert requests.offer(later) == "https://forge/1"
    (kept,) = forge.kept
    assert kept["title"] == "Other title"
    assert "Other text" in (kept.get("body"), kept.get("description"))


def test_a_closed_request_is_known_and_another_is_opened_for_new_results(
    forge: Forge, requests: GitHub | GitLab
) -> None:
    requests.offer(ASKED)
    forge.kept[0]["state"] = "closed"
    assert requests.known("genline/retrain", "main", "abc")
    assert not requests.known("genline/retrain", "main", "other")
    assert requests.offer(ASKED) == "https://forge/2"


def test_what_is_asked_of_github(forge: Forge) -> None:
    GitHub(forge.url, "https://github.com", "owner/name", "secret").offer(ASKED)
    (_, path, headers), (method, target, _) = forge.calls
    assert headers["Authorization"] == "Bearer secret"
    assert (method, target) == ("POST", "/repos/owner/name/pulls")
    assert parse_qs(urlsplit(path).query) == {
        "head": ["owner:genline/retrain"],
        "base": ["main"],
        "state": ["open"],
    }


def test_a_refused_token_is_one_line_without_the_token(
    forge: Forge, requests: GitHub | GitLab
) -> None:
    forge.refuse = 401
    with pytest.raises(RetrainError, match=r"refused .401: Bad credentials.*give a token") as error:
        requests.offer(ASKED)
    assert "secret" not in str(error.value)


def test_a_long_text_is_cut_to_what_a_forge_takes(forge: Forge) -> None:
    long = Request("b", "main", "abc", "Title", "x" * 100_000)
    GitHub(forge.url, "https://github.com", "owner/name", "secret").offer(long)
    assert len(forge.kept[0]["body"]) < 65_536
    assert "reports/difference.md" in forge.kept[0]["body"]


def test_a_silent_forge_is_one_line() -> None:
    with pytest.raises(RetrainError, match=r"GitHub does not answer .*--only publish"):
        GitHub("http://127.0.0.1:9", "https://github.com", "owner/name", "secret").offer(ASKED)


def test_a_missing_token_is_named(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    with pytest.raises(RetrainError, match="GITHUB_TOKEN is not set"):
        place(Retrain(pull_request="github"), Git(tmp_path))
    monkeypatch.setenv("CI_API_V4_URL", "https://gitlab.com/api/v4")
    monkeypatch.setenv("CI_PROJECT_ID", "7")
    with pytest.raises(RetrainError, match="GITLAB_TOKEN is not set"):
        place(Retrain(pull_request="gitlab"), Git(tmp_path))
    assert place(Retrain(pull_request="none"), Git(tmp_path)) is None


@pytest.mark.parametrize(
    "url",
    ["https://github.com/owner/name.git", "git@github.com:owner/name.git", "https://h/owner/name"],
)
def test_the_repository_is_read_off_the_remote(
    url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setenv("GH_TOKEN", "secret")
    git = Git(tmp_path)
    git.run("init", "-q")
    git.run("remote", "add", "origin", url)
    found = place(Retrain(), git)
    assert found is not None
    assert "owner/name" in found.picture("abc", "x.png")
