"""A network on disk: a folder with ``config.json`` and its weights as safetensors, no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genline.core.errors import ModelError
from genline.core.files import (
    digest_file,
    read_json,
    require_regular,
    write_bytes,
    write_json,
)

CONFIG = "config.json"
# What is wrong with a file of a model, and what to do about it.
RESTORE = "{}; `dvc checkout` restores it, or run its stage again"


def write_network(
    folder: Path, config: dict[str, Any], weights: Mapping[str, Tensor], name: str
) -> str:
    """Write ``config`` and, as file ``name``, ``weights`` into ``folder``; return its sha256."""
    write_json(folder / CONFIG, config)
    # Copies: safetensors refuses tensors that share memory, such as tied embeddings.
    copies = {k: v.detach().cpu().contiguous().clone() for k, v in weights.items()}
    write_bytes(folder / name, save(copies))
    return digest_file(folder / name)


def read_config(folder: Path, what: str) -> dict[str, Any]:
    """What ``config.json`` holds. Raises ModelError where there is no ``what`` in ``folder``."""
    if not (folder / CONFIG).exists():
        raise ModelError(
            f"{folder}: no {what} here ({CONFIG} is missing); `dvc checkout` brings the last one "
            "back, `dvc repro` makes it"
        )
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict):
        raise ModelError(f"{folder / CONFIG}: {RESTORE.format('no block of keys')}")
    return config


def read_weights(network: nn.Module, file: Path, device: str | torch.device) -> str:
    """Load ``file`` into ``network``, frozen, in evaluation mode, on ``device``; return its sha256.

    Raises ModelError, naming the file, when it is missing, truncated or does not fit.
    """
    try:
        require_regular(file, ModelError)
        network.load_state_dict(load_file(file))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{file}: {RESTORE.format(f'cannot be read ({reason})')}") from None
    network.requires_grad_(False).eval().to(device)
    return digest_file(file)
