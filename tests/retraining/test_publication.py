"""The branch of results: built on main, never over somebody else's work."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from genline.retraining import publication
from genline.retraining.config import Retrain
from genline.retraining.difference import Difference
from genline.retraining.errors import RetrainError
from genline.retraining.git import Git
from genline.retraining.publication import look, publish
from genline.retraining.requests import RefRequests

SETTINGS = Retrain(pull_request="ref")
RESULT = Difference("Retrained: new models", "# Retrained: new models\n")
LOCK = "stages:\n  a:\n    deps:\n    - path: src/genline/core\n"
FILES = {
    "dvc.lock": LOCK.encode() + b"  b: {}\n",
    "reports/difference.md": b"# Retrained: new models\n",
}


class Place:
    """A bare repository, the runner's clone of it, and a person's."""

    def __init__(self, top: Path) -> None:
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", top / "remote"], check=True)
        subprocess.run(["git", "clone", "-q", top / "remote", top / "person"], check=True)
        self.person = Git(top / "person")
        for key, value in (("name", "Ada"), ("email", "ada@example.org")):
            self.person.run("config", f"user.{key}", value)
        self.person.run("checkout", "-q", "-B", "main")
        self.by_hand("dvc.lock", LOCK)
        subprocess.run(["git", "clone", "-q", top / "remote", top / "runner"], check=True)
        self.runner = Git(top / "runner")

    def by_hand(self, path: str, content: str, branch: str = "main") -> None:
        """A person's commit on a branch."""
        place = self.person.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if branch != "main":
            self.person.run("fetch", "-q", "origin", branch)
            self.person.run("checkout", "-q", "-B", branch, "FETCH_HEAD")
        place.write_text(content)
        self.person.run("add", "-A")
        self.person.run("commit", "-qm", f"Write {path}")
        self.person.run("push", "-q", "origin", branch)
        self.person.run("checkout", "-q", "main")

    def publish(self, files: dict[str, bytes] | None = None) -> str:
        seen = look(self.runner, SETTINGS)
        place = RefRequests(self.runner, "origin")
        return publish(self.runner, SETTINGS, files or FILES, RESULT, place, seen)

    def tip(self, branch: str) -> str | None:
        return self.runner.tip("origin", f"refs/heads/{branch}")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Place(tmp_path)


def test_a_result_is_one_commit_on_main_and_main_stays(place: Place) -> None:
    main = place.tip("main")
    said = place.publish()
    tip = place.tip(SETTINGS.branch)
    assert tip is not None
    assert tip[:12] in said
    assert "refs/pull-requests/genline/retrain" in said
    assert place.runner.run("rev-parse", f"{tip}^") == main == place.tip("main")
    assert place.runner.run("status", "--porcelain") == ""
    assert publication.offered(place.runner, look(place.runner, SETTINGS)) == tip


def test_the_same_result_again_is_not_another_commit(place: Place) -> None:
    place.publish()
    tip = place.tip(SETTINGS.branch)
    assert "already holds this result" in place.publish()
    assert place.tip(SETTINGS.branch) == tip


def test_a_later_result_takes_the_place_of_one_that_was_not_merged(place: Place) -> None:
    place.publish()
    place.publish({**FILES, "dvc.lock": b"stages: {b: {}}\n"})
    tip = place.tip(SETTINGS.branch)
    assert tip is not None
    assert place.runner.run("rev-list", "--count", f"origin/main..{tip}") == "1"


def test_a_merged_result_is_no_longer_offered(place: Place) -> None:
    place.publish()
    tip = place.tip(SETTINGS.branch)
    place.person.run("fetch", "-q", "origin", SETTINGS.branch)
    place.person.run("merge", "-q", "--ff-only", str(tip))
    place.person.run("push", "-q", "origin", "main")
    assert publication.offered(place.runner, look(place.runner, SETTINGS)) is None


def test_a_persons_commit_on_the_branch_is_never_pushed_over(place: Place) -> None:
    place.publish()
    place.by_hand("notes.md", "mine\n", SETTINGS.branch)
    with pytest.raises(RetrainError, match=r"holds .* \(Write notes.md\), which retrain did not"):
        place.publish()


def test_main_may_move_where_it_does_not_matter(place: Place) -> None:
    place.by_hand("README.md", "words\n")
    place.publish()
    tip = place.tip(SETTINGS.branch)
    assert place.runner.run("rev-parse", f"{tip}^") == place.tip("main")
    assert place.runner.run("cat-file", "blob", f"{tip}:README.md") == "words"


@pytest.mark.parametrize("path", ["src/genline/core/files.py", "params.yaml", "dvc.lock"])
def test_main_may_not_move_under_a_result(place: Place, path: str) -> None:
    place.by_hand(path, "stages: {}\n")
    with pytest.raises(RetrainError, match=f"moved meanwhile and {path} changed there"):
        place.publish()
    assert place.tip(SETTINGS.branch) is None


def test_inputs_that_head_s_lock_does_not_know_yet_are_watched_too(place: Place) -> None:
    """Those of a first run, or of a dataset that is new."""
    lock = b"stages:\n  download@new:\n    deps:\n    - path: data/new\n"
    place.by_hand("data/new/a.csv", "1\n")
    with pytest.raises(RetrainError, match=r"moved meanwhile and data/new/a\.csv changed there"):
        place.publish({**FILES, "dvc.lock": lock})
    assert place.tip(SETTINGS.branch) is None
    place.publish()  # a result that does not read it


def test_another_machine_that_was_quicker_is_not_pushed_over(place: Place) -> None:
    seen = look(place.runner, SETTINGS)
    place.publish({**FILES, "dvc.lock": b"stages: {other: {}}\n"})
    tip = place.tip(SETTINGS.branch)
    with pytest.raises(RetrainError, match="moved meanwhile"):
        publish(place.runner, SETTINGS, FILES, RESULT, None, seen)
    assert place.tip(SETTINGS.branch) == tip


def test_commits_that_main_does_not_have_are_refused(place: Place) -> None:
    made = place.runner.commit("HEAD", {"x": b""}, "Local")
    place.runner.run("update-ref", "HEAD", made)
    with pytest.raises(RetrainError, match="HEAD is not part of origin/main"):
        look(place.runner, SETTINGS)


def test_a_base_that_is_not_there_is_named(place: Place) -> None:
    with pytest.raises(RetrainError, match="has no branch 'trunk'"):
        look(place.runner, Retrain(base="trunk"))


def test_code_changed_by_hand_is_named_and_what_a_run_writes_is_not(place: Place) -> None:
    root = place.runner.root
    for path in ("dvc.lock", "params.yaml", "reports/x.json", "data/.gitignore", "notes.txt"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text("changed\n")
    assert publication.changed_by_hand(place.runner) == []
    (root / "src").mkdir()
    (root / "src/new.py").write_text("")
    assert publication.changed_by_hand(place.runner) == ["src/new.py"]


def test_what_is_written_is_what_git_keeps(place: Place) -> None:
    root = place.runner.root
    (root / "reports").mkdir()
    (root / "reports/.gitignore").write_text("/samples\n")
    (root / "reports/samples").write_text("kept by DVC")
    (root / "reports/a.json").write_text("{}")
    (root / "dvc.lock").unlink()
    shutil.copy(Path(__file__).parents[2] / ".gitignore", root)
    place.runner.run("add", ".gitignore")
    (root / "reports/.samples.x1.tmp").mkdir()  # what a killed process left
    (root / "reports/.samples.x1.tmp/half.txt").write_text("half")
    found = publication.written(place.runner, root)
    found.pop(".gitignore")
    assert found == {
        "dvc.lock": None,
        "reports/.gitignore": b"/samples\n",
        "reports/a.json": b"{}",
    }
