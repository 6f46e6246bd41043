from __future__ import annotations

import http.server
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from genline.core.errors import TrackingError
from genline.tracking import store as store_module
from genline.tracking.store import Store, connect, experiment_id, resolve


def test_without_a_setting_the_store_is_in_the_project_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = resolve()
    assert store.database == tmp_path / "mlflow.db"
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
    assert all(err == "" for _, err in answers)
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


def test_a_refused_connection_is_one_line_at_once():
    store = Store("http://127.0.0.1:9", None)
    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9 does not answer.*start it"):
        connect(store)


def test_a_server_that_accepts_and_stays_silent_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(store_module, "PROBE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(TrackingError, match="does not answer"):
            connect(Store(f"http://127.0.0.1:{silent.getsockname()[1]}", None))
        assert time.monotonic() - began < 3


def test_a_web_page_that_is_no_mlflow_is_one_line():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(TrackingError, match="cannot be used") as caught:
            connect(Store(f"http://127.0.0.1:{server.server_port}", None))
        assert "\n" not in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()


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
    with pytest.raises(TrackingError, match="cannot be used"):
        connect(Store(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow.db"))


def test_a_file_store_which_mlflow_no_longer_takes_is_one_line(tmp_path):
    with pytest.raises(TrackingError) as caught:
        connect(Store(f"file:{tmp_path}/mlruns", None))
    assert "\n" not in str(caught.value)
