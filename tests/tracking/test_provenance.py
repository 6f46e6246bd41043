from __future__ import annotations

import subprocess

import pytest

from genline.core.files import write_text
from genline.tracking.provenance import commit_tags, flatten


@pytest.fixture
def repository(tmp_path):
    write_text(tmp_path / "params.yaml", "seed: 1\n")
    write_text(tmp_path / "reports/training/e.csv", "step\n")
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "first")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_clean_commit_is_named(repository):
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True
    ).stdout.strip()
    assert commit_tags(repository) == {"genline.commit": head, "genline.dirty": "false"}


@pytest.mark.parametrize("name", ["params.yaml", "new.py"])
def test_a_changed_or_added_file_makes_it_dirty(repository, name):
    write_text(repository / name, "seed: 2\n")
    assert commit_tags(repository)["genline.dirty"] == "true"


def test_what_the_pipeline_writes_does_not_make_it_dirty(repository):
    (repository / "reports/training/e.csv").unlink()
    write_text(repository / "dvc.lock", "stages: {}\n")
    assert commit_tags(repository)["genline.dirty"] == "false"


def test_a_source_archive_unpacked_inside_a_repository_has_no_commit(repository):
    write_text(repository / "archive/params.yaml", "seed: 1\n")
    assert commit_tags(repository / "archive") == {}


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    write_text(tmp_path / "params.yaml", "seed: 1\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_tags(tmp_path) == {}


def test_nested_parameters_have_dotted_names():
    assert flatten({"a": 1, "b": {"c": [1, 2], "d": {"e": None}}}) == {
        "a": "1",
        "b.c": "[1, 2]",
        "b.d.e": "None",
    }
