"""Servers that MLFLOW_TRACKING_URI may name: which are known, and whether one answers.

MLflow itself retries for minutes before it says that a server is away, and sends what is meant
for this machine through a proxy.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from genline.core.errors import TrackingError

PROBE_SECONDS = 4.0
FIRST_CALL_SECONDS = 6
_TIMEOUT, _RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_LATER = {_TIMEOUT: "30", _RETRIES: "2"}  # MLflow's own are 120 s and 7
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_PATIENT = ("psycopg", "psycopg2", "pymysql", "mysqldb")  # drivers with this setting
_DATABRICKS = re.compile(r"(databricks|databricks-uc|uc)(:.*)?")
_KNOWN = (
    "use a file (sqlite:////folder/mlflow.db), a server (http://host:port) or a database "
    "(postgresql://, mysql:// or mssql://), or unset it to use the local mlflow.db"
)


def without_credentials(text: str) -> str:
    """``text`` with ``name:password@`` taken out of its addresses."""
    return re.sub(r"(?<=://)[^/\s?#]*@", "", text)


def check(uri: str) -> None:
    """Raises TrackingError with one line when ``uri`` can name no server; asks nobody."""
    shown = without_credentials(uri)
    dialect = uri.partition("://")[0].partition("+")[0].lower()
    if dialect == "sqlite" or uri.startswith("sqlite:"):
        raise TrackingError(
            f"MLFLOW_TRACKING_URI is {shown}, which names no file, so that all would be lost at "
            "the end; name one with three slashes, as sqlite:///mlflow.db, or with four, as "
            "sqlite:////folder/mlflow.db"
        )
    if _DATABRICKS.fullmatch(uri):
        return
    if "://" not in uri or dialect not in ("http", "https", *_PORTS):
        raise TrackingError(f"MLFLOW_TRACKING_URI is {shown}, which is not supported; {_KNOWN}")
    try:
        parts = urlsplit(uri)
        reason = "" if parts.port is None or parts.port else "its port is 0"
    except ValueError as error:
        reason = str(error)
    else:
        if dialect.startswith("http") and not parts.hostname:
            reason = "it names no host"
    if reason:
        raise TrackingError(f"MLFLOW_TRACKING_URI is {shown}, no valid address: {reason}; {_KNOWN}")


def probe(uri: str) -> None:
    """Raises OSError, ValueError or HTTPException within seconds when nobody answers at ``uri``."""
    if _DATABRICKS.fullmatch(uri):
        return
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        _reach_database(uri, parts)
        return
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    request = urllib.request.Request(f"{address.geturl().rstrip('/')}/health")
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    try:
        with open_url(request, PROBE_SECONDS):
            return
    except urllib.error.HTTPError:
        return  # it answers; whether it lets us in is MLflow's business
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # which certificates it takes is as well
            raise


def open_url(request: urllib.request.Request, seconds: float) -> Any:
    """urlopen, but never through a proxy to this machine itself."""
    handlers = []
    if _is_here(urlsplit(request.full_url).hostname):
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers).open(request, timeout=seconds)


@contextmanager
def first_call(uri: str) -> Iterator[None]:
    """Within it, MLflow gives a server that takes connections and says nothing up in seconds.

    Afterwards it is patient, but not for many minutes. What the user has set stands.
    """
    _keep_off_proxies(uri)
    ours = [name for name, later in _LATER.items() if os.environ.get(name) in (None, "", later)]
    first = {_TIMEOUT: str(FIRST_CALL_SECONDS), _RETRIES: "0"}
    os.environ.update({name: first[name] for name in ours})
    try:
        yield
    finally:
        os.environ.update({name: _LATER[name] for name in ours})


def _reach_database(uri: str, parts: SplitResult) -> None:
    import sqlalchemy

    kind = parts.scheme.partition("+")[0]
    try:
        driver = sqlalchemy.make_url(uri).get_driver_name()
        patience = {"connect_timeout": int(PROBE_SECONDS)} if driver in _PATIENT else {}
        engine = sqlalchemy.create_engine(uri, connect_args=patience)
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise TrackingError(
            f"MLFLOW_TRACKING_URI is {without_credentials(uri)}, and the driver for it is not "
            f"installed ({error}); install it, or name one that is, as in {kind}+driver://"
        ) from None
    port = parts.port or _PORTS[kind]
    try:
        if parts.hostname:
            with socket.create_connection((parts.hostname, port), timeout=PROBE_SECONDS):
                pass
        engine.connect().close()  # MLflow would try ten times, for almost two minutes
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise ValueError(str(error)) from None
    finally:
        engine.dispose()


def _is_here(host: str | None) -> bool:
    if host is None or host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _keep_off_proxies(uri: str) -> None:
    """For requests, which MLflow uses: it looks at the environment alone."""
    host = None if _DATABRICKS.fullmatch(uri) else urlsplit(uri).hostname
    if host is None or not _is_here(host) or not urllib.request.getproxies():
        return
    kept = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if host not in kept.split(","):
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [kept, host]))
