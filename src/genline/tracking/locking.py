"""One writer of a registered model at a time, among the processes of one machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from genline.core.errors import TrackingError
from genline.tracking.store import Store

PATIENCE = 60.0  # seconds; registering takes a few


@contextmanager
def registering(store: Store, name: str, patience: float | None = None) -> Iterator[None]:
    """Hold the lock of the model ``name``: beside a database, or in the project's ``.genline``.

    Writers on several machines share a server and no file: for them each step stands by itself.
    Raises TrackingError with one line when another process holds it for too long.
    """
    if store.database is not None:
        path = Path(f"{store.database}.{name}.lock")
    else:
        root = Path(os.environ.get("DVC_ROOT") or Path.cwd())
        path = root / ".genline" / f"registry-{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=PATIENCE if patience is None else patience)
    except Timeout:
        raise TrackingError(
            f"'{name}' is being registered or promoted by another process ({path} is held); "
            "wait for it to end"
        ) from None
    try:
        yield
    finally:
        lock.release()
