"""A judge on disk: its network's folder, ``config.json`` and ``evaluator.safetensors``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from genline.core.errors import DataError, ModelError, ParamsError
from genline.core.folders import replaced_folder
from genline.core.params import Section, parse_section
from genline.data.prepared import ImageSpec, Spec, spec_from_json, spec_to_json
from genline.models.evaluators.config import ImageEvaluator, TextEvaluator
from genline.models.weights import CONFIG, RESTORE, read_config, read_weights, write_network

WEIGHTS = "evaluator.safetensors"


@dataclass(frozen=True)
class StoredEvaluator:
    """A frozen judge with what was stored beside it."""

    evaluator: nn.Module
    spec: Spec
    digest: str  # sha256 of the weights file


def build_evaluator(section: Section, spec: Spec) -> nn.Module:
    """The untrained judge for data of ``spec``: a classifier or a language model."""
    if isinstance(spec, ImageSpec):
        from genline.models.evaluators import classifier

        assert isinstance(section, ImageEvaluator)
        return classifier.build(section, spec)
    from genline.models.evaluators import language_model

    assert isinstance(section, TextEvaluator)
    return language_model.build(section, spec)


def save_evaluator(
    folder: Path | str, section: Section, spec: Spec, weights: Mapping[str, Tensor]
) -> None:
    """Write an evaluator's folder; on failure, the one that stood there is untouched."""
    config = {"evaluator": section.model_dump(), "data": spec_to_json(spec)}
    with replaced_folder(folder) as building:
        write_network(building, config, weights, WEIGHTS)


def load_evaluator(folder: Path | str, device: str | torch.device = "cpu") -> StoredEvaluator:
    """The judge stored in ``folder``, frozen.

    Raises ModelError, naming the file, when one is missing, truncated or does not fit.
    """
    folder = Path(folder)
    config = read_config(folder, "evaluator")
    file = folder / CONFIG
    try:
        spec = spec_from_json(config["data"], file)
        kind = ImageEvaluator if isinstance(spec, ImageSpec) else TextEvaluator
        section: Section = parse_section(kind, config["evaluator"], "evaluator", file)
    except KeyError as error:
        raise ModelError(f"{file}: {RESTORE.format(f'holds no key {error}')}") from None
    except (DataError, ParamsError) as error:
        reason = str(error).removeprefix(f"{file}: ")
        raise ModelError(f"{file}: {RESTORE.format(reason)}") from None
    evaluator = build_evaluator(section, spec)
    digest = read_weights(evaluator, folder / WEIGHTS, device)
    return StoredEvaluator(evaluator, spec, digest)
