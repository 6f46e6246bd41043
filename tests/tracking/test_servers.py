from __future__ import annotations

import base64
import http.server
import json
import os
import socket
import sys
import threading
import time

import pytest

from genline.core.errors import TrackingError
from genline.tracking import servers
from genline.tracking.store import Store, connect

HEALTH, SEARCH = "/health", "/api/2.0/mlflow/experiments/search"


class Pages(http.server.ThreadingHTTPServer):
    """Serves ``pages`` (path to status and body), notes who asked, and holds back what it lacks."""

    daemon_threads = True

    def __init__(self, pages):
        super().__init__(("127.0.0.1", 0), Answer)
        self.pages, self.asked, self.over = dict(pages), [], threading.Event()
        self.address = f"127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.asked.append((path, self.headers.get("Authorization")))
        if path not in self.server.pages:
            self.server.over.wait(60)
            return
        status, body = self.server.pages[path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *arguments):
        pass


@pytest.fixture
def serve(monkeypatch):
    for name in servers._LATER:
        monkeypatch.setenv(name, "")  # so that what a first call leaves is undone
    running = []

    def start(pages):
        server = Pages(pages)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.over.set()
        server.shutdown()
        server.server_close()


MLFLOW = {HEALTH: (200, b"OK"), SEARCH: (200, json.dumps({"experiments": []}).encode())}


def test_a_refused_connection_is_one_line_at_once():
    store = Store("http://127.0.0.1:9", None)
    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9 does not answer.*start it"):
        connect(store)


def test_a_server_that_accepts_and_stays_silent_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(servers, "PROBE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(TrackingError, match="does not answer"):
            connect(Store(f"http://127.0.0.1:{silent.getsockname()[1]}", None))
        assert time.monotonic() - began < 3


def test_a_web_page_that_is_no_mlflow_is_one_line(serve):
    server = serve({HEALTH: (404, b""), SEARCH: (404, b"<html>no such page</html>")})
    with pytest.raises(TrackingError, match="cannot be used") as caught:
        connect(Store(f"http://{server.address}", None))
    assert "\n" not in str(caught.value)


def test_a_program_that_speaks_no_http_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet():
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                connection.recv(1000)

        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(TrackingError, match="does not answer"):
            connect(Store(f"http://127.0.0.1:{other.getsockname()[1]}", None))


def test_a_server_that_is_healthy_but_never_answers_is_given_up_in_time(serve, monkeypatch):
    monkeypatch.setattr(servers, "FIRST_CALL_SECONDS", 1)
    server = serve({HEALTH: (200, b"OK")})
    import mlflow  # noqa: F401  (its import is not what is timed)

    began = time.monotonic()
    with pytest.raises(TrackingError, match=r"cannot be used.*its interface does not answer"):
        connect(Store(f"http://{server.address}", None))
    assert time.monotonic() - began < 5
    assert [path for path, _ in server.asked].count(SEARCH) == 1


def test_later_calls_are_patient_and_what_the_user_set_stands(serve, monkeypatch):
    server = serve(MLFLOW)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    connect(Store(f"http://{server.address}", None))
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert 0 < int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) < 7


def test_name_and_password_in_the_address_are_sent_and_never_shown(serve):
    server = serve(MLFLOW)
    store = Store(f"http://me:se%40cret@{server.address}", None)
    connect(store)
    expected = f"Basic {base64.b64encode(b'me:se@cret').decode()}"
    assert server.asked == [(HEALTH, expected), (SEARCH, expected)]
    assert "cret" not in store.shown
    server.pages.clear()
    server.pages[HEALTH] = server.pages[SEARCH] = (404, b"")
    with pytest.raises(TrackingError) as caught:
        connect(store)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("kept", ["", "intern.example"])
def test_a_server_on_this_machine_is_not_asked_through_a_proxy(serve, monkeypatch, kept):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", kept)
    connect(Store(f"http://{serve(MLFLOW).address}", None))
    assert kept in os.environ["no_proxy"]


@pytest.mark.parametrize(
    "uri", ["file:///mlruns", "/mlruns", "mlruns", "./mlruns", "ftp://x/y", "gopher://a", "htp:x"]
)
def test_an_unknown_kind_of_address_is_told_what_is_supported(uri):
    with pytest.raises(TrackingError) as caught:
        connect(Store(uri, None))
    assert str(caught.value).startswith(f"MLFLOW_TRACKING_URI is {uri}, which is not supported; ")
    assert "sqlite:////folder/mlflow.db" in str(caught.value)
    assert "start it" not in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["http://[::1", "http://", "https://:80", "http://a:99999", "http://a:b", "http://a:0"]
)
def test_an_address_that_cannot_be_read_is_one_line(uri):
    store = Store(uri, None)
    assert store.shown == uri
    with pytest.raises(TrackingError, match="no valid address"):
        connect(store)


@pytest.mark.parametrize("kind", ["mysql+nosuchdriver", "mssql+pymssql", "mysql+mysqldb"])
def test_a_database_server_without_its_driver_says_so(kind, monkeypatch):
    for module in ("pymssql", "MySQLdb"):  # as if neither were installed, whatever is here
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TrackingError, match="the driver for it is not installed") as caught:
        connect(Store(f"{kind}://me:secret@127.0.0.1:9/books", None))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_server_that_is_away_is_one_line_at_once(monkeypatch):
    import sqlalchemy

    # No driver need be installed to find nobody there.
    engine = sqlalchemy.create_engine("sqlite://")
    monkeypatch.setattr(sqlalchemy, "create_engine", lambda *a, **k: engine)
    with pytest.raises(TrackingError, match=r"does not answer.*refused"):
        connect(Store("postgresql://127.0.0.1:9/books", None))
