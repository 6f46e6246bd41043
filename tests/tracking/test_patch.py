from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from genline.core.files import write_bytes, write_text
from genline.tracking import patch
from genline.tracking.patch import working_patch

IDENTITY = ("-c", "user.name=n", "-c", "user.email=e@example.org")


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "a project"
    for name in ("params.yaml", "src/code.py", "reports/metrics/e.json", "dvc.lock"):
        write_text(folder / name, "old\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, *IDENTITY, "commit", "-qm", "first")
    return folder


def applied(repository: Path, target: Path) -> Path:
    content = working_patch(repository).content
    assert content is not None
    git(repository, "worktree", "add", "-q", "--detach", str(target), "HEAD")
    if content:
        subprocess.run(["git", "apply"], cwd=target, input=content, check=True)
    return target


def test_the_commit_with_the_patch_is_the_working_tree(repository, tmp_path):
    write_text(repository / "params.yaml", "new, with é and a line\r\n")
    write_bytes(repository / "src/code.py", b"\xff\xfe not UTF-8 \n\n\n")
    write_bytes(repository / "src/new module.py", b"\0binary")
    write_text(repository / "data/expectations/mine.yaml", "suite\n")
    tree = applied(repository, tmp_path / "tree")
    for name in ("params.yaml", "src/code.py", "src/new module.py", "data/expectations/mine.yaml"):
        assert (tree / name).read_bytes() == (repository / name).read_bytes()


def test_deleted_and_staged_files_are_in_it(repository, tmp_path):
    (repository / "src/code.py").unlink()
    write_text(repository / "staged.py", "s\n")
    git(repository, "add", "staged.py")
    tree = applied(repository, tmp_path / "tree")
    assert not (tree / "src/code.py").exists()
    assert (tree / "staged.py").read_text() == "s\n"


def test_what_the_pipeline_writes_and_new_files_elsewhere_are_not(repository):
    write_text(repository / "reports/metrics/e.json", "new\n")
    write_text(repository / "dvc.lock", "new\n")
    write_text(repository / ".env", "SECRET=1\n")
    write_text(repository / "data/mine/1.txt", "a picture\n")
    assert working_patch(repository).content == b""


def test_git_s_own_index_and_objects_are_left_as_they_are(repository):
    write_text(repository / "src/code.py", "new\n")
    write_text(repository / "src/other.py", "new\n")
    before = git(repository, "status", "--porcelain"), git(repository, "count-objects", "-v")
    index = (repository / ".git/index").read_bytes()
    assert working_patch(repository).content
    assert (repository / ".git/index").read_bytes() == index
    assert (git(repository, "status", "--porcelain"), git(repository, "count-objects", "-v")) == (
        before
    )


@pytest.mark.parametrize("name", ["src/code.py", "src/new.py"])
def test_a_patch_that_is_too_long_is_not_kept_and_says_so(repository, monkeypatch, name):
    monkeypatch.setattr(patch, "LIMIT", 1000)
    write_text(repository / name, "x = 1\n" * 500)
    found = working_patch(repository)
    assert found.content is None
    assert "more than 1000" in found.reason


def test_without_git_there_is_none(tmp_path):
    assert working_patch(tmp_path).content is None
