from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from genline.core.errors import TrackingError
from genline.tracking.artifact_roots import adopt
from genline.tracking.store import connect, experiment_id, resolve

COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


@pytest.fixture
def original(project):
    """A project with a run, a model and an artifact."""
    store = resolve()
    client = connect(store)
    experiment = experiment_id(client, store, "digits")
    run = client.create_run(experiment).info.run_id
    client.log_text(run, "of the original", "note.txt")
    model = client.create_logged_model(experiment, name="tiny")
    client.create_registered_model("tiny")
    client.create_model_version("tiny", source=model.model_uri, run_id=run, model_id=model.model_id)
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()  # a copy is opened by a process of its own
    with closing(sqlite3.connect("mlflow.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return project, run


def locations(folder):
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return {
            (table, column): [
                value
                for (value,) in database.execute(f"SELECT {column} FROM {table}")
                if value and value.startswith("file:")
            ]
            for table, column in COLUMNS
        }


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_copied_project_writes_to_its_own_artifacts_and_not_to_the_original(
    original, tmp_path, monkeypatch, capsys
):
    folder, run = original
    copy = tmp_path / "copy #2"
    shutil.copytree(folder, copy)
    before = files(folder)
    monkeypatch.chdir(copy)
    store = resolve()
    client = connect(store)
    assert str(folder / "mlartifacts") in capsys.readouterr().err
    for found in locations(copy).values():
        assert found
        assert all(uri.startswith(f"{(copy / 'mlartifacts').as_uri()}/") for uri in found)
    client.log_text(run, "of the copy", "note.txt")
    new = client.create_run(experiment_id(client, store, "digits")).info.run_id
    client.log_text(new, "new", "note.txt")
    assert Path(client.download_artifacts(run, "note.txt")).read_text() == "of the copy"
    assert len(list(copy.glob("mlartifacts/digits/*/artifacts/note.txt"))) == 2
    assert files(folder) == before
    connect(store)
    assert capsys.readouterr().err == ""


def test_a_moved_project_finds_its_artifacts_again(original, tmp_path, monkeypatch):
    folder, run = original
    moved = tmp_path / "moved"
    monkeypatch.chdir(tmp_path)
    folder.rename(moved)
    monkeypatch.chdir(moved)
    note = connect(resolve()).download_artifacts(run, "note.txt")
    assert Path(note).read_text() == "of the original"
    assert not folder.exists()


def test_books_copied_without_their_artifacts_are_refused(original, tmp_path, monkeypatch):
    folder, _ = original
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(folder / "mlflow.db", copy)
    before = files(folder), (copy / "mlflow.db").read_bytes()
    monkeypatch.chdir(copy)
    with pytest.raises(TrackingError, match=r"copy that folder to .*copy/mlartifacts as well"):
        connect(resolve())
    assert (files(folder), (copy / "mlflow.db").read_bytes()) == before


def test_a_project_reached_by_another_path_is_left_alone(original, tmp_path):
    folder, _ = original
    before = locations(folder)
    other = tmp_path / "other path"
    other.symlink_to(folder)
    assert adopt(other / "mlflow.db", other / "mlartifacts", 1) == []
    assert locations(folder) == before


def test_a_place_for_artifacts_that_somebody_chose_stays(project, tmp_path):
    store = resolve()
    client = connect(store)
    chosen = tmp_path / "large disk/mlartifacts"
    chosen.mkdir(parents=True)
    client.create_experiment("mine", artifact_location=(chosen / "mine").as_uri())
    client.create_experiment("cloud", artifact_location="s3://bucket/mlartifacts/cloud")
    connect(store)
    found = {e.name: e.artifact_location for e in client.search_experiments()}
    assert found["mine"] == (chosen / "mine").as_uri()
    assert found["cloud"] == "s3://bucket/mlartifacts/cloud"
