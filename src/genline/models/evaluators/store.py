"""A judge on disk: a folder with ``config.json`` and ``evaluator.safetensors``, no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genline.core.errors import ModelError
from genline.core.files import digest_file, read_json, write_bytes, write_json
from genline.core.params import Section, parse_section
from genline.data.prepared import ImageSpec, Spec, spec_from_json, spec_to_json
from genline.models.evaluators.config import ImageEvaluator, TextEvaluator

WEIGHTS = "evaluator.safetensors"
CONFIG = "config.json"


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
    """Write an evaluator's folder."""
    folder = Path(folder)
    write_json(folder / CONFIG, {"evaluator": section.model_dump(), "data": spec_to_json(spec)})
    # Copies: safetensors refuses tensors that share memory, such as tied embeddings.
    copies = {k: v.detach().cpu().contiguous().clone() for k, v in weights.items()}
    write_bytes(folder / WEIGHTS, save(copies))


def load_evaluator(folder: Path | str, device: str | torch.device = "cpu") -> StoredEvaluator:
    """The judge stored in ``folder``, frozen.

    Raises ModelError, naming the file, when one is missing, truncated or does not fit.
    """
    folder = Path(folder)
    if not (folder / CONFIG).exists():
        raise ModelError(f"{folder}: no evaluator here ({CONFIG} is missing); run `dvc repro`")
    config = read_json(folder / CONFIG)
    try:
        spec = spec_from_json(config["data"])
        kind = ImageEvaluator if isinstance(spec, ImageSpec) else TextEvaluator
        section: Section = parse_section(kind, config["evaluator"], str(folder / CONFIG))
    except (KeyError, TypeError) as error:
        raise ModelError(f"{folder / CONFIG}: incomplete ({error}); fit it again") from None
    evaluator = build_evaluator(section, spec)
    try:
        evaluator.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{folder / WEIGHTS}: cannot be read ({reason}); "
            "`dvc checkout` restores it, or fit it again"
        ) from None
    evaluator.requires_grad_(False).eval().to(device)
    return StoredEvaluator(evaluator, spec, digest_file(folder / WEIGHTS))
