"""Against a real MLflow server over HTTP, which is killed and started again in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from finished_project import (
    CURVE,
    USED,
    differences,
    finish,
    fresh_mlflow,
    shown,
    trained,
    write_inputs,
    write_lock,
)

from genline.core.errors import TrackingError
from genline.tracking.lineage import trace
from genline.tracking.runs import training_run
from genline.tracking.store import connect, resolve
from genline.tracking.sync import sync

NAME = "tiny-vae"
START_SECONDS = 120.0


class Server:
    """An MLflow server on a free port of 127.0.0.1 with a database and artifacts of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_TRACKING")}
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=kept | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, "the server ended"
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.2)
        pytest.fail(f"MLflow did not answer within {START_SECONDS:.0f} s")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)  # its own session: it and its worker
            self.process.wait(30)
            self.process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    import sqlite3

    from genline.tracking.store import Store

    folder = tmp_path_factory.mktemp("server")
    connect(Store(f"sqlite:///{folder}/mlflow.db", folder / "mlflow.db"))
    with sqlite3.connect(folder / "mlflow.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    running = Server(folder)
    running.start()
    yield running
    running.kill()


def test_a_server_killed_in_training_and_in_registration_ends_with_everything_once(
    server, project, evaluation, tiny_model, monkeypatch, ready_database, capsys
):
    from mlflow import MlflowClient

    from genline.stages.register import run as register

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    data = write_inputs(NAME)
    digest = tiny_model(Path("models") / NAME)
    began = time.monotonic()
    with training_run(NAME, "digits", data, USED, "r" * 64) as run:
        run.row(CURVE[0])
        run.flush()
        server.kill()
        run.row(CURVE[1])
        run.trained(digest, seconds=2.0, steps=2)
    assert time.monotonic() - began < 60
    assert capsys.readouterr().err.count("\n") == 1
    write_lock(NAME)
    finish(NAME, evaluation(model=digest, data=data))  # still away
    with pytest.raises(TrackingError, match="does not answer"):
        register(NAME)

    server.start()
    original = MlflowClient.create_model_version

    def killed_before_the_answer(self, *arguments, **named):
        original(self, *arguments, **named)
        server.kill()
        raise OSError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", killed_before_the_answer)
        with pytest.raises(TrackingError, match="refused"):
            register(NAME)
    server.start()
    register(NAME)
    [done] = sync([NAME])
    assert done.failure is None
    assert [s.added for s in sync([NAME])] == [()]
    over_http = shown()
    [only] = over_http["runs"]
    assert only["status"] == "FINISHED"
    assert only["metrics"]["train/loss"] == [(1, "10"), (2, "3.333333")]
    assert [len(m["versions"]) for m in over_http["models"].values()] == [1]
    assert over_http["models"][NAME]["aliases"] == {"champion": "1"}
    client = connect(resolve())
    place = client.get_experiment_by_name("digits").experiment_id
    assert len(client.search_logged_models([place])) == 1

    found = trace(f"{NAME}@champion")
    assert (found.model, found.version) == (digest, f"{NAME}/1")
    assert found.params["train.steps"] == "3"

    # The same files give the same view in a database.
    fresh_mlflow(ready_database)
    [done] = sync([NAME])
    assert done.failure is None
    assert shown() == over_http, differences(over_http, shown())


def test_an_empty_server_is_filled_and_a_second_time_adds_nothing(
    server, project, evaluation, tiny_model, monkeypatch
):
    from genline.stages.register import run as register

    name = "other-vae"
    data = write_inputs(name)
    digest = tiny_model(Path("models") / name, 3)
    with trained(name, data, digest):
        pass
    write_lock(name)
    finish(name, evaluation(model=digest, data=data) | {"experiment": name})
    register(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)
    [done] = sync([name])
    assert "run" in done.added
    assert "champion → version 1" in done.added
    assert [s.added for s in sync([name])] == [()]
