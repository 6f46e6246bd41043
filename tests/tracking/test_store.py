from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from genline.core.errors import TrackingError
from genline.tracking import database_file
from genline.tracking import store as store_module
from genline.tracking.store import Store, connect, experiment_id, one_line, resolve


def test_without_a_setting_the_store_is_in_the_project_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = resolve()
    assert store.database == tmp_path / "mlflow.db"
    assert store.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert store.artifacts == tmp_path / "mlartifacts"
    assert not any(tmp_path.iterdir())


def test_a_temporary_experiment_of_dvc_tracks_into_the_project(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert resolve().database == tmp_path / "mlflow.db"


def test_a_tracking_uri_is_honoured(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://name:secret@mlflow.example:8443/base")
    store = resolve()
    assert store.database is None
    assert store.artifacts is None
    assert store.shown == "https://mlflow.example:8443/base"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    assert resolve().database == tmp_path / "other.db"


def test_four_processes_may_first_touch_a_fresh_database_at_once(tmp_path):
    script = (
        "from genline.tracking.store import connect, experiment_id, resolve\n"
        "store = resolve()\n"
        "print(experiment_id(connect(store), store, 'digits'))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, answers
    assert len({out for out, _ in answers}) == 1
    said = [line for _, err in answers for line in err.splitlines()]
    assert all(line.startswith("waiting up to") for line in said), said
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        found = database.execute("SELECT name, artifact_location FROM experiments").fetchall()
    assert dict(found)["digits"] == (tmp_path / "mlartifacts/digits").as_uri()
    assert not (tmp_path / "mlruns").exists()


def test_a_creation_that_was_killed_half_way_is_made_anew(tmp_path):
    (tmp_path / "mlflow.db.new").write_text("the first pages of")
    (tmp_path / "mlflow.db.new-journal").write_text("what was to come")
    database = tmp_path / "mlflow.db"
    connect(Store(f"sqlite:///{database}", database))
    assert {p.name for p in tmp_path.iterdir() if "new" in p.name} == set()
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT name FROM experiments").fetchall() == [("Default",)]


def test_an_experiment_in_the_bin_is_taken_out(project):
    store = resolve()
    client = connect(store)
    first = experiment_id(client, store, "digits")
    client.delete_experiment(first)
    assert experiment_id(client, store, "digits") == first
    assert client.get_experiment(first).lifecycle_stage == "active"


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_database_is_one_line_and_left_as_it_is(tmp_path, content):
    database = tmp_path / "mlflow.db"
    database.write_bytes(content)
    with pytest.raises(TrackingError, match=r"mlflow\.db") as caught:
        connect(Store(f"sqlite:///{database}", database))
    assert "move mlflow.db away" in str(caught.value)
    assert database.read_bytes() == content


def test_a_database_of_another_version_is_one_line_and_left_as_it_is(project):
    with sqlite3.connect("mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'of another version'")
    database.close()
    with pytest.raises(TrackingError, match="mlflow db upgrade"):
        connect(resolve())
    with sqlite3.connect("mlflow.db") as database:
        found = database.execute("SELECT version_num FROM alembic_version").fetchall()
    assert found == [("of another version",)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    began = time.monotonic()
    with pytest.raises(TrackingError, match=r"cannot be used \(.*Permission denied"):
        connect(Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow.db"))
    assert time.monotonic() - began < 5


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="a folder where root cannot write")
def test_a_folder_that_denies_even_root_is_told_at_once(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////sys/kernel/mlflow.db")
    began = time.monotonic()
    with pytest.raises(TrackingError, match=r"cannot be used \(\[Errno .*mlflow\.db\.lock"):
        connect(resolve())
    assert time.monotonic() - began < 5


def test_a_database_that_another_program_locks_is_given_up_in_time(project, monkeypatch):
    monkeypatch.setattr(database_file, "BUSY_SECONDS", 0.2)
    before = Path("mlflow.db").read_bytes()
    with closing(sqlite3.connect("mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(TrackingError, match="is locked by another program"):
            connect(resolve())
        assert time.monotonic() - began < 5
    assert Path("mlflow.db").read_bytes() == before


def test_a_lock_that_comes_between_is_told_in_plain_words():
    error = (
        "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush "
        "block)\n(sqlite3.OperationalError) database is locked\n[SQL: INSERT INTO tags]"
    )
    assert one_line(error).startswith("the database is locked by another program")
    assert one_line(error.replace("is locked", "is full")).endswith("database is full")


@pytest.mark.parametrize("name", ["a?b", "a#b ü", "100% mine", "a&b=c;d+e@f:g"])
def test_the_database_lies_in_a_folder_of_any_name(tmp_path, ready_database, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(ready_database)
    monkeypatch.chdir(folder)
    store = resolve()
    client = connect(store)
    run = client.create_run(experiment_id(client, store, "digits")).info.run_id
    client.log_text(run, "kept", "note.txt")
    assert Path(client.download_artifacts(run, "note.txt")).read_text() == "kept"
    assert [p.read_text() for p in folder.glob("mlartifacts/**/note.txt")] == ["kept"]
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with closing(sqlite3.connect("mlflow.db")) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_folder_whose_name_mlflow_would_misread_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "a%20b"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(TrackingError, match="rename that folder without '%'"):
        connect(resolve())
    assert not any(folder.iterdir())


def test_an_escaped_tracking_uri_names_the_file_that_mlflow_opens(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite+pysqlite:///{tmp_path}/a%20b.db?timeout=9")
    assert resolve().database == tmp_path / "a b.db"


@pytest.mark.parametrize("uri", ["sqlite:////{}", "sqlite:///."])
def test_a_folder_in_place_of_a_database_is_one_line(tmp_path, monkeypatch, uri):
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder))
    with pytest.raises(TrackingError, match="is a folder; name a file in it") as caught:
        connect(resolve())
    assert "move" not in str(caught.value)
    assert [p.name for p in tmp_path.rglob("*")] == ["place"]


@pytest.mark.parametrize(
    "uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://mlflow.db", "sqlite:"]
)
def test_a_database_in_memory_is_refused(tmp_path, monkeypatch, uri):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError, match=r"names no file.*three slashes"):
        connect(resolve())
    assert not any(tmp_path.iterdir())


def test_an_empty_database_begins_a_new_history_and_says_so(tmp_path, capsys):
    database = tmp_path / "mlflow.db"
    database.touch()
    connect(Store(f"sqlite:///{database}", database))
    assert "there is no history in it" in capsys.readouterr().err
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connect(Store(f"sqlite:///{database}", database))
    assert capsys.readouterr().err == ""


def test_an_interrupted_creation_leaves_no_draft(tmp_path, monkeypatch):
    def interrupt(store):
        (tmp_path / "mlflow.db.new").write_text("the first pages")
        raise KeyboardInterrupt

    monkeypatch.setattr(store_module, "_client", interrupt)
    with pytest.raises(KeyboardInterrupt):
        connect(Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow.db"))
    assert {p.name for p in tmp_path.iterdir()} <= {"mlflow.db.lock"}


def test_a_file_store_which_mlflow_no_longer_takes_is_one_line(tmp_path):
    with pytest.raises(TrackingError, match="not supported; use a file"):
        connect(Store(f"file:{tmp_path}/mlruns", None))
    assert not any(tmp_path.iterdir())
