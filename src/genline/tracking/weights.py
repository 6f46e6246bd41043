"""A model folder looked at without torch: whether it is whole, and its digest."""

from __future__ import annotations

import json
from pathlib import Path

from genline.core.errors import ModelError
from genline.core.files import digest_file, read_json
from genline.models import WEIGHTS

_CONFIG = "config.json"


def model_digest(folder: Path) -> str:
    """The sha256 of the weights in a model folder.

    Raises ModelError with one line when there is no model, or its weights are cut short.
    """
    weights = folder / WEIGHTS
    if not (folder / _CONFIG).is_file() or not weights.is_file():
        missing = WEIGHTS if (folder / _CONFIG).is_file() else _CONFIG
        raise ModelError(f"{folder}: no whole model ({missing} is missing); `dvc pull` or train it")
    read_json(folder / _CONFIG)
    reason = _damage(weights)
    if reason is not None:
        raise ModelError(
            f"{weights}: damaged ({reason}); `dvc checkout --force {folder}` restores it"
        )
    return digest_file(weights)


def _damage(weights: Path) -> str | None:
    """What is wrong with the frame of a safetensors file: its header tells how long it must be."""
    size = weights.stat().st_size
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            return f"{size} bytes, its header is cut short"
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for k, entry in header.items() if k != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return "its header is not readable"
    wanted = 8 + length + max(ends, default=0)
    return None if size == wanted else f"{size} bytes where its header tells of {wanted}"
