"""What counts as a change in DVC's status: first causes, not what is merely absent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genline.retraining import pipeline
from genline.retraining.errors import RetrainError

LOCK = b"""\
stages:
  download@d: {outs: [{path: data/raw/d}]}
  train@e: {outs: [{path: models/e}]}
"""


def causes(monkeypatch: pytest.MonkeyPatch, status: dict[str, Any], **options: bool) -> Any:
    monkeypatch.setattr(pipeline, "_ask", lambda *_: json.dumps(status))
    monkeypatch.setattr(pipeline, "_ask_python", lambda *_: json.dumps(status))
    return pipeline.out_of_date(LOCK, **options)


def test_a_fresh_clone_is_not_out_of_date(monkeypatch: pytest.MonkeyPatch) -> None:
    status = {
        "download@d": [{"changed outs": {"data/raw/d": "not in cache"}}],
        "train@e": [
            {"changed deps": {"data/raw/d": "deleted"}},
            {"changed outs": {"models/e": "deleted"}},
        ],
        "report": [{"changed deps": {"data/raw": "modified", "models": "deleted"}}],
    }
    assert causes(monkeypatch, status) == {}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"changed deps": {"../watched": "modified"}}, "../watched changed"),
        ({"changed deps": {"../watched": "deleted"}}, "../watched is gone"),
        ({"changed deps": {"params.yaml": {"seed": "modified"}}}, "seed changed"),
        ({"changed outs": {"models/e": "modified"}}, "models/e changed"),
        ("changed command", "changed command"),
    ],
)
def test_a_first_cause_is_told(monkeypatch: pytest.MonkeyPatch, entry: Any, told: str) -> None:
    assert causes(monkeypatch, {"train@e": [entry]}) == {"train@e": [told]}


def test_another_lock_is_compared_with_the_inputs_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: cp in out, deps: [in], outs: [out]}}\n")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q", "--no-scm"], check=True)
    locks = []
    for content in ("one", "two"):
        (tmp_path / "in").write_text(content)
        subprocess.run([*dvc, "repro", "-q"], check=True)
        locks.append((tmp_path / "dvc.lock").read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert pipeline.out_of_date(locks[1]) == {}
    assert pipeline.out_of_date(locks[0], instead=True) == {"a": ["in changed"]}
    (tmp_path / "in").write_text("one")
    assert pipeline.out_of_date(locks[0], instead=True) == {}  # "out" is of the other
    assert pipeline.out_of_date(locks[1]) == {"a": ["in changed"]}
    before[tmp_path / "in"] = b"one"
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_another_lock_is_compared_without_its_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    status = {"train@e": [{"changed outs": {"models/e": "modified"}}]}
    assert causes(monkeypatch, status, instead=True) == {}


def test_a_stage_that_never_ran_has_its_inputs_as_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    status = {
        "train@new": [
            {"changed deps": {"src/x.py": "new", "data/raw/d": "deleted"}},
            {"changed outs": {"models/new": "deleted"}},
        ],
        "report": [{"changed deps": {"models/new": "deleted"}}],
    }
    assert causes(monkeypatch, status) == {"train@new": ["src/x.py new"]}


def test_a_merge_conflict_in_the_lock_is_named_with_its_line() -> None:
    lock = b"schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a: {}\n=======\n>>>>>>> other\n"
    with pytest.raises(RetrainError, match=r"dvc.lock, line 3: a merge conflict"):
        pipeline.read_lock(lock)


def test_another_file_in_the_locks_place_is_refused() -> None:
    for content in (b"[", b"- a\n", b"text"):
        with pytest.raises(RetrainError, match="not a lock file"):
            pipeline.read_lock(content)


def test_no_stage_is_given_the_forge_s_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, "s3cret")
    assert "s3cret" not in pipeline._environment().values()
