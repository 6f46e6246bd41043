"""git as the loop uses it: commits without a checkout, pushes that never overwrite."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from genline.retraining.errors import RetrainError
from genline.retraining.git import Git
from genline.tracking.git import reason

BRANCH = "refs/heads/results"


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with one commit, pushed to a bare one beside it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", tmp_path / "remote"], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "work"], check=True)
    git = Git(tmp_path / "work")
    (git.root / "a.txt").write_text("a\n")
    git.run("add", "-A")
    git.run("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "Start")
    git.run("remote", "add", "origin", str(tmp_path / "remote"))
    git.run("push", "-q", "origin", "main")
    return git


def test_a_commit_is_made_without_touching_head_index_or_files(git: Git) -> None:
    head, status = git.run("rev-parse", "HEAD"), git.run("status", "--porcelain")
    made = git.commit("HEAD", {"b/ü.txt": b"b\n", "a.txt": None}, "Result")
    assert git.run("ls-tree", "-r", "--name-only", made) == "b/ü.txt"
    assert git.run("rev-parse", f"{made}^") == head
    assert (git.run("rev-parse", "HEAD"), git.run("status", "--porcelain")) == (head, status)
    assert git.run("log", "-1", "--format=%an", made) == "genline"  # git was given no name


def test_a_branch_that_is_not_there_has_no_tip(git: Git) -> None:
    assert git.tip("origin", BRANCH) is None
    assert git.tip("origin", "refs/heads/main") == git.run("rev-parse", "HEAD")


def test_a_push_moves_a_branch_only_from_where_it_was_seen(git: Git) -> None:
    one, two, three = (git.commit("HEAD", {"x": t.encode()}, t) for t in "123")
    assert git.push("origin", one, BRANCH, None)
    assert not git.push("origin", two, BRANCH, None)
    assert not git.push("origin", two, BRANCH, three)
    assert git.tip("origin", BRANCH) == one
    assert git.push("origin", two, BRANCH, one)
    assert git.tip("origin", BRANCH) == two


def test_a_remote_that_is_away_is_named(git: Git) -> None:
    git.run("remote", "set-url", "origin", str(git.root / "nowhere"))
    with pytest.raises(RetrainError, match="the git remote 'origin' cannot be used"):
        git.tip("origin", BRANCH)
    with pytest.raises(RetrainError, match="the git remote 'origin' did not take results"):
        git.push("origin", "HEAD", BRANCH, None)


def test_a_remote_that_refuses_is_told_with_its_own_words(git: Git) -> None:
    hook = git.root.parent / "remote" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'you may not push here' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RetrainError, match="may not push"):
        git.push("origin", git.commit("HEAD", {}, "Result"), BRANCH, None)


def test_a_shallow_clone_gets_the_history_it_needs(git: Git, tmp_path: Path) -> None:
    first = git.run("rev-parse", "HEAD")
    made = git.commit("HEAD", {"x": b"1"}, "Next")
    git.run("push", "-q", "origin", f"{made}:refs/heads/main")
    url = (tmp_path / "remote").as_uri()
    subprocess.run(["git", "clone", "-q", "--depth=1", url, tmp_path / "shallow"], check=True)
    shallow = Git(tmp_path / "shallow")
    assert shallow.tip("origin", "refs/heads/main") == made
    assert shallow.ancestor(first, made)


def test_a_password_in_an_address_is_not_told(git: Git) -> None:
    git.run("remote", "set-url", "origin", "https://me:s3cret@127.0.0.1:9/x.git")
    with pytest.raises(RetrainError, match="cannot be used") as caught:
        git.tip("origin", BRANCH)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in reason(b"fatal: unable to look at https://me:s3cret@h/x.git/")


def test_what_a_killed_commit_left_is_in_no_later_one_s_way(git: Git) -> None:
    """A container's processes have the same numbers each time."""
    (git.root / f".git/genline-index-{os.getpid()}.lock").touch()
    assert git.commit("HEAD", {"x": b"1"}, "Next")
