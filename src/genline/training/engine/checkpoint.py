"""Checkpoints: outside DVC's outputs, in a folder named by the recipe digest, whole or absent."""

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
    """The one checkpoint of the training ``name`` with the recipe digest ``digest``.

    The lock is of the name alone: a training with other parameters would write the same outputs.
    """

    def __init__(self, root: Path | str, name: str, digest: str, patience: float = 30.0) -> None:
        self.name, self.patience = name, patience
        self.trainings = Path(root) / name
        self.folder = self.trainings / digest[:16]
        self._lock = FileLock(self.trainings.with_suffix(".lock"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only trainer of this name; may be nested in the same object.

        Another trainer is given ``patience`` seconds to end, time enough for the orphan of a
        killed pipeline to end its step or validation; then TrainingError is raised.
        """
        self.trainings.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=self.patience)
        except Timeout:
            raise TrainingError(
                f"{self.name} is already training in another process "
                f"({self._lock.lock_file} is held); wait for it or end it"
            ) from None
        try:
            yield
        finally:
            self._lock.release()

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
        """Delete this name's checkpoints, abandoned ones too: the outputs are written."""
        shutil.rmtree(self.trainings, ignore_errors=True)
