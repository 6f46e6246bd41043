"""A model on disk: its network's folder, ``config.json`` and ``model.safetensors``.

``config.json`` names the family, its parameters and the data spec, so that a folder is all it
takes to build the model again; a text model's folder also holds ``tokenizer.json``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genline.core.errors import DataError, ModelError, ParamsError, nearest
from genline.core.files import write_bytes
from genline.core.folders import replaced_folder
from genline.core.params import Section, parse_section
from genline.data.prepared import Spec, spec_from_json, spec_to_json
from genline.models import FAMILIES, WEIGHTS
from genline.models.base import GenerativeModel
from genline.models.weights import CONFIG, RESTORE, read_config, read_weights, write_network

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class StoredModel:
    """A model with what was stored beside it."""

    model: GenerativeModel
    family: str
    spec: Spec
    digest: str  # sha256 of the weights file
    folder: Path


def save_model(
    folder: Path | str,
    family: str,
    model: Section,
    spec: Spec,
    weights: Mapping[str, Tensor],
    tokenizer: Path | None = None,
) -> str:
    """Write a model folder and return the sha256 of its weights.

    On failure, the model that stood there is untouched.
    """
    # An option at its default, which means that it is off, is not part of what the model is.
    parameters = model.model_dump(exclude_defaults=True)
    config = {"family": family, "model": parameters, "data": spec_to_json(spec)}
    with replaced_folder(folder) as building:
        if tokenizer is not None:
            write_bytes(building / TOKENIZER, tokenizer.read_bytes())
        return write_network(building, config, weights, WEIGHTS)


def family_module(family: str) -> Any:
    """The package of ``family``. Raises ModelError for one that does not exist."""
    if family not in FAMILIES:
        raise ModelError(f"unknown family '{family}'; {nearest(family, FAMILIES)}")
    return importlib.import_module(f"genline.models.{family}")


def family_config(family: str) -> Any:
    """The parameter module of ``family``: its ``Model`` and ``Train`` sections."""
    if not isinstance(family, str) or family not in FAMILIES:
        raise ModelError(f"unknown family '{family}'; {nearest(family, FAMILIES)}")
    return importlib.import_module(f"genline.models.{family}.config")


def load_model(folder: Path | str, device: str | torch.device = "cpu") -> StoredModel:
    """Build the model stored in ``folder``, in evaluation mode.

    Raises ModelError, naming the file, when one is missing, truncated or does not fit.
    """
    folder = Path(folder)
    config = read_config(folder, "model")
    file = folder / CONFIG
    try:
        family, spec = config["family"], spec_from_json(config["data"], file)
        section = parse_section(family_config(family).Model, config["model"], "model", file)
    except KeyError as error:
        raise ModelError(f"{file}: {RESTORE.format(f'holds no key {error}')}") from None
    except (DataError, ModelError, ParamsError) as error:
        reason = str(error).removeprefix(f"{file}: ")
        raise ModelError(f"{file}: {RESTORE.format(reason)}") from None
    # A family's name begins with the kind of its data.
    if not family.startswith(spec.kind):
        reason = f"family '{family}' is for {family.split('_')[0]}s, its data are {spec.kind}s"
        raise ModelError(f"{file}: {RESTORE.format(reason)}")
    model: GenerativeModel = family_module(family).build(section, spec)
    digest = read_weights(model, folder / WEIGHTS, device)
    return StoredModel(model, family, spec, digest, folder)
