"""One file over HTTP: streamed, resumed where it broke off, never larger than it should be."""

from __future__ import annotations

import time
from pathlib import Path

import requests

from genline import __version__
from genline.core.progress import Progress

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_TRIES = 3  # of an address that breaks off
_CHUNK = 2**16
_KILO = 1000


class TransferError(Exception):
    """An address did not give the file: why, in a few words."""


def fetch(address: str, part: Path, size: int, title: str) -> None:
    """Make ``part`` the ``size`` bytes at ``address``, going on from what it holds already.

    Proxies are those of the environment (``HTTPS_PROXY``, ``NO_PROXY``). Raises TransferError
    when the server refuses, breaks off three times, or gives more or fewer bytes; what has come
    stays in ``part``.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(attempt)
        try:
            if _go_on(address, part, size, title):
                return
            reason = f"broke off after {part.stat().st_size} of {size} bytes"
        except requests.RequestException as error:
            reason = _reason(error)
        except OSError as error:  # of the file, such as a full disk, which says nothing of where
            error.filename = error.filename or str(part)
            raise
    raise TransferError(reason)


def _go_on(address: str, part: Path, size: int, title: str) -> bool:
    """Whether ``part`` is complete after one more request."""
    have = part.stat().st_size if part.exists() else 0
    if have == size:
        return True
    # Without compression on the way, so that bytes are those of the file.
    headers = {"Accept-Encoding": "identity", "User-Agent": f"genline/{__version__}"}
    if 0 < have < size:
        headers["Range"] = f"bytes={have}-"
    limits = (_CONNECT_SECONDS, _READ_SECONDS)
    with requests.get(address, headers=headers, stream=True, timeout=limits) as answer:
        if answer.status_code not in (200, 206):
            raise TransferError(f"answered {answer.status_code} {answer.reason}")
        resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not (answer.status_code == 206 and resumed):
            have = 0  # all of it again
        with (
            part.open("ab" if have else "wb") as file,
            Progress(title, size // _KILO, have // _KILO, unit="kilobyte") as progress,
        ):
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
                progress.advance((have + len(chunk)) // _KILO - have // _KILO)
                have += len(chunk)
                if have > size:
                    raise TransferError(f"gave more than the {size} bytes it should have")
    return have == size


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return f"did not answer within {_CONNECT_SECONDS:.0f} s"
    if isinstance(error, requests.ReadTimeout):
        return f"did not answer within {_READ_SECONDS:.0f} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return "its proxy cannot be reached"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be verified"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return " ".join(str(error).split())[:80]
