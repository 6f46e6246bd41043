"""Checkpoints: outside DVC's outputs, keyed by the recipe digest, whole or absent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from genline.core.errors import TrainingError
from genline.core.files import write_atomic

_FILE = "checkpoint.pt"


class Checkpoints:
    """The one checkpoint of the training whose recipe digest names the folder."""

    def __init__(self, root: Path | str, name: str, digest: str) -> None:
        self.name = name
        self.folder = Path(root) / f"{name}-{digest[:16]}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone. Raises TrainingError at once if another trainer holds it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_suffix(".lock"))
        try:
            with lock.acquire(timeout=10):
                yield
        except Timeout:
            raise TrainingError(
                f"{self.name} is already training in another process "
                f"({lock.lock_file} is held); wait for it or end it"
            ) from None

    def load(self) -> dict[str, Any] | None:
        """The saved state, or None; an unreadable file counts as none."""
        path = self.folder / _FILE
        try:
            # weights_only: a checkpoint is data and must never run code.
            return torch.load(path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
        except FileNotFoundError:
            return None
        except Exception as error:  # torch raises many kinds for a damaged file
            print(f"{path}: unreadable ({type(error).__name__}); training starts again")
            return None

    def save(self, state: dict[str, Any]) -> None:
        write_atomic(self.folder / _FILE, lambda file: torch.save(state, file))

    def clear(self) -> None:
        """Delete the checkpoint: the outputs are written."""
        shutil.rmtree(self.folder, ignore_errors=True)
