"""MLflow's own server on 127.0.0.1, and links to the pages worth opening first."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from genline.core.errors import TrackingError
from genline.tracking import saved_view, servers
from genline.tracking.store import Store, connect, make_ready, one_line, resolve

HOST = "127.0.0.1"
_START_SECONDS = 90.0
_STOP_SECONDS = 5.0
_RUNS = "/#/experiments/{id}/runs?workflowType=machine_learning&compareRunsMode="
_CHARTS = f"{_RUNS}CHART"
_TABLE = f"{_RUNS}TABLE&viewStateShareKey={saved_view.KEY}"


def serve(port: int) -> None:
    """Serve until interrupted; with a server named by MLFLOW_TRACKING_URI, only print its links.

    Raises TrackingError with one line when the port is taken, the server does not start, or this
    is no project's folder.
    """
    store = resolve()
    if store.uri.startswith(("http://", "https://")):
        _announce(store.shown.rstrip("/"), _listed(store))
        return
    _check_port(port)
    if store.database is None:
        connect(store)
    else:
        _check_project(store.database)
        make_ready(store)  # the server would make the tables without the lock
    _serve(store, port)


def _check_project(database: Path) -> None:
    """A database is begun in a project's folder or where the user says, nowhere else."""
    folder = database.parent
    named = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not named and not database.exists() and not (folder / "params.yaml").exists():
        raise TrackingError(
            f"no mlflow.db and no params.yaml in {folder}; run in the project's top folder"
        )


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise TrackingError(f"port is {port}; use one from 1 to 65535")
    if _free(port):
        return
    other = next((p for p in range(port + 1, min(port + 100, 65536)) if _free(p)), None)
    offer = f"; try --port {other} (make ui PORT={other})" if other else "; use another"
    raise TrackingError(f"port {port} of {HOST} cannot be used, another program holds it{offer}")


def _free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def _serve(store: Store, port: int) -> None:
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.uri]
    command += ["--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--log-level warning"]
    if store.artifacts is not None:
        command += ["--default-artifact-root", store.artifacts.as_uri()]
    # Jobs are for MLflow's language-model features: a dozen processes and half a minute more.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    print("Starting MLflow …", flush=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # A session of its own: Ctrl-C reaches this process alone, which then ends all of it.
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            command, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        try:
            address = f"http://{HOST}:{port}"
            _wait(server, store, said, address)
            _announce(address, _experiments(address))
            print("Ctrl-C ends it.", flush=True)
            status = server.wait()
            raise TrackingError(f"MLflow ended with status {status}: {_last_line(said)}")
        except KeyboardInterrupt:
            print("\nMLflow has ended; all it shows is kept.")
        finally:
            _stop(server)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _wait(server: subprocess.Popen[bytes], store: Store, said: IO[bytes], address: str) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            connect(store)  # says what is wrong in one line, if it is the database
            raise TrackingError(f"MLflow did not start: {_last_line(said)}")
        try:
            with servers.open_url(urllib.request.Request(f"{address}/health"), 2):
                return
        except OSError:
            time.sleep(0.2)
    raise TrackingError(f"MLflow did not answer on {address} within {_START_SECONDS:.0f} s")


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _announce(address: str, experiments: Mapping[str, str]) -> None:
    """experiments: their ids by name."""
    shown = sorted(name for name in experiments if name != "Default")
    if shown:
        print("MLflow is ready. All runs of a dataset (its assistant can be closed):")
    for name in shown:
        print(f"  {name}, charts: {address}{_CHARTS.format(id=experiments[name])}")
        print(f"  {name}, table:  {address}{_TABLE.format(id=experiments[name])}")
    if not shown:
        print("MLflow is ready, and has no runs yet: `make repro` makes some")
    print("All models, their versions and which of them is champion:")
    print(f"  {address}/#/models")
    print(f"The page at {address} itself is MLflow's, about language models.", flush=True)


def _listed(store: Store) -> dict[str, str]:
    """The experiments of a server elsewhere, which MLflow's client knows how to be let in to."""
    client = connect(store)
    try:
        found = client.search_experiments(max_results=1000)
    except Exception as error:  # MLflow's own, requests'
        raise TrackingError(
            f"MLflow at {store.shown} does not list its runs ({one_line(error)})"
        ) from None
    return {str(e.name): str(e.experiment_id) for e in found}


def _experiments(address: str) -> dict[str, str]:
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/experiments/search",
        data=json.dumps({"max_results": 1000}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with servers.open_url(request, 10) as answer:
            found = json.load(answer).get("experiments", [])
    except (OSError, HTTPException, ValueError) as error:
        raise TrackingError(f"MLflow at {address} does not list its runs ({error})") from None
    return {str(e["name"]): str(e["experiment_id"]) for e in found}


def _stop(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(_STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
