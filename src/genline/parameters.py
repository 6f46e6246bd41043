"""All of params.yaml, checked before anything runs.

A stage reads its own slice alone, so that its code does not depend on every section; this module
knows them all, and the command calls :func:`check` before each stage.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from genline.core.errors import ParamsError, nearest
from genline.core.files import require_regular
from genline.core.params import PARAMS_FILE, Section, load_yaml, parse_section
from genline.core.wording import found
from genline.data.engines.config import Workers
from genline.data.preparation.config import PrepareImages, PrepareTexts
from genline.data.sources.config import ImageSource, TextSource
from genline.data.validation.config import Validate
from genline.evaluation.config import EvaluateImages
from genline.evaluation.text.config import EvaluateTexts
from genline.models.evaluators.config import ImageEvaluator, TextEvaluator
from genline.models.image_gan import config as image_gan
from genline.models.image_gan.combinations import impossible
from genline.models.image_hybrid import config as image_hybrid
from genline.models.image_vae import config as image_vae
from genline.models.text_gan import combinations as text_gan_combinations
from genline.models.text_gan import config as text_gan
from genline.models.text_vae import combinations as text_vae_combinations
from genline.models.text_vae import config as text_vae
from genline.retraining.config import Retrain
from genline.tracking.config import Register
from genline.training.engine.devices import Runtime, resolve_device

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


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

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        reason = impossible(self.model, self.train)
        if reason is not None:
            raise ValueError(reason)
        return self


class _ImageHybrid(_Experiment):
    model: image_hybrid.Model
    train: image_hybrid.Train
    evaluate: EvaluateImages


class _TextVae(_Experiment):
    model: text_vae.Model
    train: text_vae.Train
    evaluate: EvaluateTexts

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        reason = text_vae_combinations.impossible(self.model, self.train)
        if reason is not None:
            raise ValueError(reason)
        return self


class _TextGan(_Experiment):
    model: text_gan.Model
    train: text_gan.Train
    evaluate: EvaluateTexts

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        reason = text_gan_combinations.impossible(self.model, self.train)
        if reason is not None:
            raise ValueError(reason)
        return self

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        beams = self.evaluate.decoding.beams
        if beams:
            raise ValueError(
                f"evaluate.decoding.beams is {beams}, but a search draws nothing: the control "
                "would have no curve over temperatures, and a language model one text alone; use "
                "beams: 0, with top_k or top_p"
            )
        return self


class _Params(Section):
    seed: int = Field(ge=0, lt=2**63, description="an integer >= 0")
    runtime: Runtime
    datasets: dict[str, dict[str, Any]] = Field(min_length=1)
    experiments: dict[str, dict[str, Any]] = Field(min_length=1)
    retrain: Retrain = Retrain()
    workers: Workers = Workers()


_DATASETS: dict[str, type[Section]] = {"image": _ImageDataset, "text": _TextDataset}
_FAMILIES: dict[str, tuple[type[Section], str]] = {
    "image_vae": (_ImageVae, "image"),
    "image_gan": (_ImageGan, "image"),
    "image_hybrid": (_ImageHybrid, "image"),
    "text_vae": (_TextVae, "text"),
    "text_gan": (_TextGan, "text"),
}


# What the gate may compare by: figures of the model itself that have a better direction.
_IMAGE_SAMPLES = ("class_kl", "coverage", "density", "fid", "kid", "precision", "recall")
_TEXT_SAMPLES = (
    "copied",
    "frechet_embedding_distance",
    "ngram_divergence_1",
    "ngram_divergence_2",
    "ngram_divergence_3",
    "reverse_perplexity",
)
_LATENTS = ("active_units", "decoder_use", "elbo", "mutual_information", "nll", "reconstruction")


def _of_image_vae(model: image_vae.Model | None = None) -> tuple[str, ...]:
    """Those of an image VAE: its samplers and its likelihood decide which figures it has.

    None: with the samplers by default and a likelihood of the grey levels themselves.
    """
    samplers = ["gmm", "prior"] if model is None else model.samplers
    ending = "" if model is None else model.likelihood_suffix
    bits = () if ending == "_density" else ("bits_per_dimension",)
    of_likelihood = ("nll", "elbo", "reconstruction", *bits)
    return (
        *_IMAGE_SAMPLES,
        *(f"{name}_{sampler}" for sampler in samplers[1:] for name in _IMAGE_SAMPLES),
        *(name for name in _LATENTS if name not in of_likelihood),
        *(f"{name}{ending}" for name in of_likelihood),
    )


METRICS: dict[str, tuple[str, ...]] = {
    "image_vae": _of_image_vae(),
    "image_gan": _IMAGE_SAMPLES,
    "image_hybrid": (*_IMAGE_SAMPLES, "reconstruction_error"),
    "text_vae": (*_TEXT_SAMPLES, *_LATENTS, "perplexity", "perplexity_bound"),
    "text_gan": (
        *_TEXT_SAMPLES,
        "perplexity",
        *(f"{name}_control" for name in (*_TEXT_SAMPLES, "perplexity")),
        "frechet_embedding_distance_vs_control",
    ),
}


def check(file: Path = PARAMS_FILE) -> None:
    """Read all of params.yaml, and look for what it names: suites of expectations, a device.

    Raises ParamsError with one line for the first thing wrong.
    """
    params = parse_section(_Params, load_yaml(file), "")
    if params.runtime.device == "cuda":  # asking takes a second, the import of torch
        resolve_device(params.runtime)
    for name, value in params.datasets.items():
        _check_name("datasets", name)
        kind = _choice(value, f"datasets.{name}.kind", _DATASETS)
        described = parse_section(_DATASETS[kind], value, f"datasets.{name}")
        assert isinstance(described, _ImageDataset | _TextDataset)
        _check_suite(f"datasets.{name}.validate.suite", described.validation.suite)
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
        experiment = parse_section(section, value, f"experiments.{name}")
        assert isinstance(experiment, _Experiment)
        metric, known = experiment.registration.metric, METRICS[family]
        if isinstance(experiment, _ImageVae):
            known = _of_image_vae(experiment.model)
        if isinstance(experiment, _TextGan) and experiment.model.latent:
            known = tuple(m for m in known if not m.startswith("perplexity"))
        if metric not in known:
            raise ParamsError(
                f"{PARAMS_FILE}: experiments.{name}.register.metric is {found(metric)}, by which "
                f"no such model of family '{family}' is compared; {nearest(metric, known)}"
            )


def require(kind: Literal["datasets", "experiments"], name: str) -> None:
    """Raises ParamsError offering the nearest one unless params.yaml has that ``name``."""
    known = load_yaml(PARAMS_FILE)[kind]
    if name not in known:
        raise ParamsError(f"{PARAMS_FILE}: no {kind[:-1]} '{name}'; {nearest(name, known)}")


def _check_name(kind: str, name: str) -> None:
    # The name becomes a folder, a stage and a registered model.
    if not _NAME.fullmatch(name) or name == "evaluators":
        raise ParamsError(
            f"{PARAMS_FILE}: {kind}: {found(name)} cannot be a name; a name is 1 to 64 lower-case "
            "letters, digits, '-' and '_', the first a letter or digit, and not 'evaluators'"
        )


def _check_suite(key: str, suite: str) -> None:
    # A dependency of a stage: DVC takes none from outside of the project.
    path = Path(suite)
    if "\0" in suite or path.is_absolute() or not path.resolve().is_relative_to(Path.cwd()):
        raise ParamsError(
            f"{PARAMS_FILE}: {key} is {found(suite)}; wanted: a file within the project, named "
            "from its top folder"
        )
    try:
        require_regular(path, ParamsError)
    except FileNotFoundError:
        near = sorted(map(str, path.parent.glob("*.yaml"))) if path.parent.is_dir() else []
        raise ParamsError(
            f"{PARAMS_FILE}: {key}: there is no file {suite}; {nearest(suite, near)}"
        ) from None
    except ParamsError as error:
        raise ParamsError(f"{PARAMS_FILE}: {key}: {error}") from None


def _choice(value: dict[str, Any], key: str, known: Any) -> str:
    last = key.rsplit(".", 1)[1]
    if last not in value:
        misspelt = [k for k in value if nearest(str(k), [last]).startswith("did")]
        slip = f"; did you misspell it as '{misspelt[0]}'?" if misspelt else ""
        raise ParamsError(f"{PARAMS_FILE}: key '{key}' is missing{slip}")
    choice = value[last]
    if not isinstance(choice, str) or choice not in known:
        hint = nearest(choice if isinstance(choice, str) else "", known)
        raise ParamsError(f"{PARAMS_FILE}: {key} is {found(choice)}; {hint}")
    return choice
