from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from genline.core.errors import TrackingError
from genline.stages.ui import run
from genline.tracking.store import connect, experiment_id, resolve


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty folder with a name that must be escaped, made the current one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    folder = tmp_path / "my project #1?"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def processes_of_group(group):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[2]) == group:
            found.append(stat.parent.name)
    return found


def test_a_port_in_use_is_one_line_that_offers_a_free_one(project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError) as caught:
            run(port)
    offered = re.search(r"try --port (\d+)", str(caught.value))
    assert f"port {port}" in str(caught.value)
    assert offered and int(offered[1]) > port
    assert not any(project.iterdir())


def test_outside_a_project_it_says_so_and_leaves_nothing(project):
    with pytest.raises(TrackingError, match="run in the project's top folder"):
        run(free_port())
    assert not any(project.iterdir())


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_an_impossible_port_is_one_line(port):
    with pytest.raises(TrackingError, match="use one from 1 to 65535"):
        run(port)


def test_a_server_elsewhere_that_is_away_is_one_line(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match="does not answer"):
        run(5000)


def test_a_damaged_database_is_one_line(project):
    (project / "mlflow.db").write_text("not a database")
    with pytest.raises(TrackingError, match=r"move mlflow\.db away"):
        run(free_port())


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for left-over processes in /proc")
def test_it_prints_links_that_answer_and_an_interrupt_leaves_no_process(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there, and it is not asked
    store = resolve()
    experiment_id(connect(store), store, "digits")
    port = free_port()
    ui = subprocess.Popen(
        [sys.executable, "-c", f"from genline.stages.ui import run; run({port})"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Where the tests run in the background, interrupts are ignored unless asked for again.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert ui.stdout is not None
    try:
        lines = []
        for line in ui.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        text = "".join(lines)
        address = r"(http://127\.0\.0\.1:\d+/#/experiments/1/runs\?.*"
        links = [
            re.search(f"digits, charts: {address}CHART)", text),
            re.search(f"digits, table:  {address}TABLE&viewStateShareKey=genline)", text),
        ]
        assert all(links), text
        monkeypatch.delenv("http_proxy")
        for link in links:
            with urllib.request.urlopen(link[1], timeout=10) as page:
                assert b"MLflow" in page.read()
        [server] = Path(f"/proc/{ui.pid}/task/{ui.pid}/children").read_text().split()
        assert processes_of_group(int(server))
        os.kill(ui.pid, signal.SIGINT)
        assert ui.wait(timeout=30) == 0
        assert not processes_of_group(int(server))
    finally:
        ui.kill()
        ui.stdout.close()
