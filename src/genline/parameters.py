"""All of params.yaml, checked before anything runs.

A stage reads its own slice alone, so that its code does not depend on every section; this module
knows them all, and the command calls :func:`check` before each stage.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from genline.core.errors import ParamsError, nearest
from genline.core.params import PARAMS_FILE, Section, load_yaml, parse_section
from genline.data.preparation.config import PrepareImages, PrepareTexts
from genline.data.sources.config import ImageSource, TextSource
from genline.data.validation.config import Validate
from genline.evaluation.config import EvaluateImages
from genline.evaluation.text.config import EvaluateTexts
from genline.models.evaluators.config import ImageEvaluator, TextEvaluator
from genline.models.image_gan import config as image_gan
from genline.models.image_vae import config as image_vae
from genline.models.text_gan import config as text_gan
from genline.models.text_vae import config as text_vae
from genline.tracking.config import Register
from genline.training.engine.devices import Runtime

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class _ImageDataset(Section):
    kind: Literal["image"]
    source: ImageSource
    validation: Validate = Field(alias="validate")
    prepare: PrepareImages
    evaluator: ImageEvaluator


class _TextDataset(Section):
    kind: Literal["text"]
    source: TextSource
    validation: Validate = Field(alias="validate")
    prepare: PrepareTexts
    evaluator: TextEvaluator


class _Experiment(Section):
    dataset: str
    family: str
    registration: Register = Field(alias="register")


class _ImageVae(_Experiment):
    model: image_vae.Model
    train: image_vae.Train
    evaluate: EvaluateImages


class _ImageGan(_Experiment):
    model: image_gan.Model
    train: image_gan.Train
    evaluate: EvaluateImages


class _TextVae(_Experiment):
    model: text_vae.Model
    train: text_vae.Train
    evaluate: EvaluateTexts


class _TextGan(_Experiment):
    model: text_gan.Model
    train: text_gan.Train
    evaluate: EvaluateTexts


class _Params(Section):
    seed: int = Field(ge=0, lt=2**63, description="an integer >= 0")
    runtime: Runtime
    datasets: dict[str, dict[str, Any]] = Field(min_length=1)
    experiments: dict[str, dict[str, Any]] = Field(min_length=1)


_DATASETS: dict[str, type[Section]] = {"image": _ImageDataset, "text": _TextDataset}
_FAMILIES: dict[str, tuple[type[Section], str]] = {
    "image_vae": (_ImageVae, "image"),
    "image_gan": (_ImageGan, "image"),
    "text_vae": (_TextVae, "text"),
    "text_gan": (_TextGan, "text"),
}


def check(file: Path = PARAMS_FILE) -> None:
    """Read all of params.yaml. Raises ParamsError with one line for the first thing wrong."""
    params = parse_section(_Params, load_yaml(file), "")
    for name, value in params.datasets.items():
        _check_name("datasets", name)
        kind = _choice(value, f"datasets.{name}.kind", _DATASETS)
        parse_section(_DATASETS[kind], value, f"datasets.{name}")
    for name, value in params.experiments.items():
        _check_name("experiments", name)
        dataset = _choice(value, f"experiments.{name}.dataset", params.datasets)
        family = _choice(value, f"experiments.{name}.family", _FAMILIES)
        section, kind = _FAMILIES[family]
        if params.datasets[dataset]["kind"] != kind:
            raise ParamsError(
                f"{PARAMS_FILE}: experiments.{name}.family is '{family}', for {kind}s, but its "
                f"dataset '{dataset}' holds {params.datasets[dataset]['kind']}s"
            )
        parse_section(section, value, f"experiments.{name}")


def require(kind: Literal["datasets", "experiments"], name: str) -> None:
    """Raises ParamsError offering the nearest one unless params.yaml has that ``name``."""
    known = load_yaml(PARAMS_FILE)[kind]
    if name not in known:
        raise ParamsError(f"{PARAMS_FILE}: no {kind[:-1]} '{name}'; {nearest(name, known)}")


def _check_name(kind: str, name: str) -> None:
    # The name becomes a folder, a stage and a registered model.
    if not _NAME.fullmatch(name) or name == "evaluators":
        raise ParamsError(
            f"{PARAMS_FILE}: {kind}.{name}: a name is lower-case letters, digits, '-' and '_', "
            "and not 'evaluators'"
        )


def _choice(value: dict[str, Any], key: str, known: Any) -> str:
    last = key.rsplit(".", 1)[1]
    if last not in value:
        misspelt = [k for k in value if nearest(k, [last]).startswith("did")]
        found = f"; did you misspell it as '{misspelt[0]}'?" if misspelt else ""
        raise ParamsError(f"{PARAMS_FILE}: key '{key}' is missing{found}")
    choice = value[last]
    if choice not in known:
        raise ParamsError(f"{PARAMS_FILE}: {key} is {choice!r}; {nearest(str(choice), known)}")
    return str(choice)
