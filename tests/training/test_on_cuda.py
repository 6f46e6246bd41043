"""Training on CUDA: every family, network and objective; resumed exactly, its models used on CPU.

Skipped where torch finds no CUDA device.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from image_folder import write_digits
from text_corpus import random_texts, write_corpus

from genline.core.params import parse_section
from genline.data.prepared import Prepared, PreparedImages, PreparedTexts
from genline.evaluation import images as image_suite
from genline.evaluation.config import EvaluateImages
from genline.models.base import VariationalModel
from genline.models.evaluators.config import ImageEvaluator, TextEvaluator
from genline.models.evaluators.store import load_evaluator, save_evaluator
from genline.models.store import family_config, load_model, save_model
from genline.training.engine import loop
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.recipe import Context, Recipe
from genline.training.recipes.evaluators import classifier, language_model

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(
    DEVICE == "cuda" and not torch.cuda.is_available(), reason="there is no CUDA device"
)
STEPS, KILLED_AT = 8, 5

VAE = {
    "model": {
        "network": "conv",
        "width": 8,
        "blocks": 1,
        "latent": 4,
        "likelihood": "binomial",
        "pixels": "draw",
        "gmm_components": [1, 3],
        "units": 32,
        "second_stage_width": 16,
        "samplers": ["gmm", "two_stage", "prior"],
    },
    "train": {
        "steps": STEPS,
        "batch": 32,
        "learning_rate": 0.002,
        "weight_decay": 0.01,
        "beta": 1.0,
        "kl_warmup": 0.5,
        "free_bits": 0.0,
        "clip": 1000.0,
        "ema": 0.8,
        "validate_every": 4,
        "gmm_draws": 2,
        "gmm_regularisation": 0.01,
        "second_stage_steps": 20,
    },
}
GAN = {
    "model": {"network": "mlp", "latent": 8, "width": 16, "row_width": 8, "layers": 1},
    "train": {
        "steps": STEPS,
        "batch": 16,
        "discriminator": {"network": "mlp", "width": 16, "layers": 1},
        "objective": "non_saturating",
        "r1_gamma": 0.1,
        "r1_every": 4,
        "learning_rate": 0.002,
        "decay": 0.5,
        "beta1": 0.0,
        "beta2": 0.9,
        "ema": 0.9,
        "validate_every": 4,
    },
}
HYBRID = {
    "model": {"network": "mlp", "latent": 4, "width": 16, "layers": 1},
    "train": {
        "steps": STEPS,
        "batch": 16,
        "objective": "vae_gan",
        "discriminator": {"network": "mlp", "width": 16, "layers": 1, "norm": "spectral"},
        "adversarial": 0.1,
        "beta": 0.1,
        "learning_rate": 0.002,
        "decay": 0.0,
        "beta1": 0.5,
        "beta2": 0.9,
        "ema": 0.9,
        "validate_every": 4,
    },
}
TEXT_VAE = {
    "model": {"network": "lstm", "embedding": 8, "encoder": 8, "decoder": 8, "latent": 4},
    "train": {
        "steps": STEPS,
        "batch": 8,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "beta": 1.0,
        "kl_warmup": 0.5,
        "free_bits": 2.0,
        "word_dropout": 0.2,
        "dropout": 0.2,
        "bag_of_words": 0.5,
        "clip": 5.0,
        "ema": 0.9,
        "validate_every": 4,
        "validate_texts": 20,
        "validate_draws": 4,
    },
}
TEXT_GAN = {
    "model": {"network": "lstm", "embedding": 8, "hidden": 12},
    "train": {
        "pretrain_steps": 3,
        "adversarial_steps": 3,
        "batch": 8,
        "learning_rate": 0.01,
        "adversarial_learning_rate": 0.005,
        "weight_decay": 0.01,
        "dropout": 0.2,
        "objective": "reinforce",
        "adversarial_weight": 1.0,
        "likelihood_weight": 1.0,
        "discount": 0.5,
        "inverse_temperature": 10.0,
        "discriminator": {"network": "lstm", "learning_rate": 0.005, "dropout": 0.2},
        "clip": 5.0,
        "ema": 0.9,
        "validate_every": 5,
        "validate_texts": 20,
        "validate_samples": 1000,
    },
}
PATTERNS: dict[str, dict[str, dict[str, Any]]] = {
    "image_vae": VAE,
    "image_gan": GAN,
    "image_hybrid": HYBRID,
    "text_vae": TEXT_VAE,
    "text_gan": TEXT_GAN,
}
Case = tuple[str, dict[str, Any], dict[str, Any]]  # family, changes of model and of train


def cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for network in ("conv", "mlp", "recurrent"):
        for likelihood in (
            "bernoulli",
            "binomial",
            "categorical",
            "discretized_logistic",
            "gaussian",
        ):
            model = {"network": network, "likelihood": likelihood}
            if likelihood == "bernoulli":  # of black and white
                model["binarise"] = "static"
            found[f"image_vae {network} {likelihood}"] = ("image_vae", model, {})
    vae_options: dict[str, dict[str, Any]] = {
        "attention": {"attention": True},
        "attention in rows": {"network": "recurrent", "attention": True},
        "patches": {"patch": 2},
        "labels": {"conditional": True},
        "a norm of means": {"mean_norm": 0.5},
    }
    for name, model in vae_options.items():
        found[f"image_vae with {name}"] = ("image_vae", model, {})
    found |= _gans()
    for network in ("mlp", "conv", "residual"):
        for objective, judge in (("adversarial_autoencoder", "mlp"), ("vae_gan", network)):
            train = {"objective": objective, "discriminator": {"network": judge}}
            case = ("image_hybrid", {"network": network}, train)
            found[f"image_hybrid {network} {objective}"] = case
    for network in ("lstm", "gru", "transformer", "mlp"):
        remedies: dict[str, Any] = {"pretrain_steps": 2, "encoder_updates": 1, "kl_cycles": 2}
        if network == "mlp":  # its decoder reads no words that could be hidden
            remedies["word_dropout"] = 0.0
        found[f"text_vae {network}"] = ("text_vae", {"network": network}, remedies)
    text_options: dict[str, dict[str, Any]] = {
        "attention": {"attention": True, "layers": 2},
        "a norm of means": {"batch_norm": 0.5},
        "heads": {"network": "transformer", "heads": 2, "layers": 2},
    }
    for name, model in text_options.items():
        found[f"text_vae with {name}"] = ("text_vae", model, {})
    for objective in ("reinforce", "gumbel"):
        found[f"text_gan {objective}"] = ("text_gan", {}, {"objective": objective})
    return found


def _gans() -> dict[str, Case]:
    found: dict[str, Case] = {}
    against = {"conv": "conv", "residual": "residual", "recurrent_feedback": "recurrent"}
    divergences = ("kl", "reverse_kl", "jensen_shannon", "pearson")
    objectives: dict[str, dict[str, Any]] = {
        name: {"objective": name}
        for name in ("minimax", "non_saturating", "hinge", "least_squares", "infogan", "energy")
    }
    objectives |= {
        f"f_divergence {name}": {"objective": "f_divergence", "divergence": name}
        for name in divergences
    }
    penalty = {"r1_gamma": 0.0, "gradient_penalty": 1.0}
    objectives["wasserstein"] = {"objective": "wasserstein", **penalty}
    objectives["relativistic"] = {"objective": "relativistic", "r2_gamma": 0.1}
    codes = {"categorical": [10], "continuous": 1}
    for network in ("attention", "conv", "mlp", "recurrent", "recurrent_feedback", "residual"):
        for name, train in objectives.items():
            model: dict[str, Any] = {"network": network}
            if name == "infogan":
                model["codes"] = codes
            judge = {"network": against.get(network, "mlp")}
            found[f"image_gan {network} {name}"] = (
                "image_gan",
                model,
                train | {"discriminator": judge},
            )
    # What the generator, its discriminator and the training are asked beside.
    options: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
        "clipped weights": ({}, {}, {"objective": "wasserstein", "clip_weights": 0.1}),
        "matched features": ({}, {}, {"feature_matching": 1.0}),
        "minibatch discrimination": ({}, {"minibatch_kernels": 4}, {"r1_gamma": 0.0}),
        "a sigmoid": ({}, {"head": "sigmoid"}, {"objective": "least_squares"}),
        "two steps": ({}, {}, {"discriminator_steps": 2}),
        "augmentation": ({}, {}, {"augment": ["flip", "crop", "translate"]}),
        "diff_augment": ({}, {}, {"diff_augment": ["colour", "translate", "cutout", "flip"]}),
        "labels": ({"conditional": True}, {}, {}),
        "everything convolutional": (
            {"conditional": True, "network": "conv", "attention": True},
            {"network": "conv", "attention": True, "norm": "spectral"},
            {"objective": "hinge", "diff_augment": ["translate", "cutout"]},
        ),
        "everything residual": (
            {"conditional": True, "network": "residual", "attention": True, "norm": "none"},
            {"network": "residual", "attention": True, "norm": "spectral"},
            {"objective": "relativistic", "r2_gamma": 0.1, "augment": ["crop"]},
        ),
        "a batch norm": (
            {"network": "conv"},
            {"network": "conv", "norm": "batch"},
            {"r1_gamma": 0},
        ),
        "spectra of rows": ({}, {"network": "recurrent", "norm": "spectral"}, {"r1_gamma": 0.0}),
    }
    for name, (model, judge, train) in options.items():
        if train.get("objective") == "wasserstein":
            train = train | {"r1_gamma": 0.0}
        found[f"image_gan with {name}"] = ("image_gan", model, train | {"discriminator": judge})
    return found


CASES = cases()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> PreparedImages:
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> PreparedTexts:
    return write_corpus(tmp_path_factory.mktemp("data") / "texts", random_texts(80, 15, 6), 15)


def context(precision: str = "32-true") -> Context:
    runtime = {"device": DEVICE, "threads": 1, "precision": precision}
    return Context(make_fabric(Runtime.model_validate(runtime)), 3)


def sections(case: Case) -> tuple[Any, Any]:
    family, model, train = case
    config, pattern = family_config(family), PATTERNS[family]
    both = pattern["train"] | train
    if "discriminator" in train:
        both["discriminator"] = pattern["train"]["discriminator"] | train["discriminator"]
    return (
        parse_section(config.Model, pattern["model"] | model, "model"),
        parse_section(config.Train, both, "train"),
    )


def killed_and_resumed(
    make: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[loop.Trained, loop.Trained]:
    """A training without a break, and one that ends after some steps and is begun again."""
    whole = loop.train("whole", make(), Checkpoints(folder, "whole", "d" * 64))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    broken: Recipe = make()
    step = broken.step

    def dies(at: int) -> dict[str, torch.Tensor]:
        if at == KILLED_AT:
            raise KeyboardInterrupt
        return step(at)

    monkeypatch.setattr(broken, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        loop.train("broken", broken, Checkpoints(folder, "broken", "d" * 64))
    again = loop.train("broken", make(), Checkpoints(folder, "broken", "d" * 64))
    assert again.steps_done < whole.steps_done
    return whole, again


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_what_is_trained_on_cuda_is_finite_resumes_exactly_and_samples_on_the_cpu(
    images: PreparedImages,
    texts: PreparedTexts,
    name: str,
    precision: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = CASES[name][0]
    model, train = sections(CASES[name])
    data: Prepared = images if family.startswith("image") else texts
    module = importlib.import_module(f"genline.training.recipes.{family}")

    def make() -> Recipe:
        recipe: Recipe = module.build(context(precision), data, model, train)
        return recipe

    whole, again = killed_and_resumed(make, tmp_path, monkeypatch)
    assert all(math.isfinite(v) for row in whole.history.rows for v in row.values())
    for key, value in whole.weights.items():
        assert torch.equal(value.cpu(), again.weights[key].cpu()), key
    assert whole.history.csv() == again.history.csv()
    save_model(tmp_path / "model", family, model, data.spec, whole.weights)
    at_home = load_model(tmp_path / "model", "cpu").model
    for variant in at_home.variants:
        with torch.no_grad():
            drawn = at_home.sample(4, torch.Generator().manual_seed(0), variant)
        assert drawn.device.type == "cpu" and len(drawn) == 4
    if isinstance(at_home, VariationalModel) and family == "image_vae" and not model.conditional:
        there = load_model(tmp_path / "model", DEVICE).model
        assert isinstance(there, VariationalModel)
        x = torch.tensor(images.split("test").images[:8])
        with torch.no_grad():
            here, over_there = at_home.posterior(x)[0], there.posterior(x.to(DEVICE))[0]
        torch.testing.assert_close(over_there.cpu(), here, rtol=1e-3, atol=1e-3)


def test_a_judge_of_images_is_fitted_and_judges_on_cuda(
    images: PreparedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = {"steps": STEPS, "batch": 32, "learning_rate": 0.002, "weight_decay": 0.05}
    section = ImageEvaluator(width=8, features=16, dropout=0.3, **fitted)  # type: ignore[arg-type]
    whole, again = killed_and_resumed(
        lambda: classifier.build(context(), images, section), tmp_path, monkeypatch
    )
    assert all(torch.equal(v.cpu(), again.weights[k].cpu()) for k, v in whole.weights.items())
    save_evaluator(tmp_path / "judge", section, images.spec, whole.weights)
    judge: Any = load_evaluator(tmp_path / "judge", DEVICE).evaluator
    module = importlib.import_module("genline.training.recipes.image_vae")
    model, train = sections(CASES["image_vae conv binomial"])
    trained = loop.train(
        "vae", module.build(context(), images, model, train), Checkpoints(tmp_path, "v", "d" * 64)
    )
    save_model(tmp_path / "model", "image_vae", model, images.spec, trained.weights)
    found = {}
    for place in (DEVICE, "cpu"):
        stored = load_model(tmp_path / "model", place).model
        judge.to(place)
        params = EvaluateImages(draws=5, importance_samples=8, shown=10)
        findings = image_suite.evaluate(stored, judge, images, params, 1, torch.device(place))
        assert all(metric.finite for metric in findings.metrics.values())
        assert image_suite.shown(stored, images, 10, 1, torch.device(place))
        found[place] = findings.metrics
    # The floors are of the same real images; samples are of each device's own random numbers.
    floors = [found[place]["fid"].floor for place in found]
    assert floors[0] == pytest.approx(floors[1], rel=1e-3)


def test_a_judge_of_texts_is_fitted_on_cuda_and_reads_alike_on_the_cpu(
    texts: PreparedTexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = TextEvaluator(
        embedding=8, hidden=12, steps=STEPS, batch=16, learning_rate=0.004, dropout=0.2
    )
    whole, again = killed_and_resumed(
        lambda: language_model.build(context(), texts, section), tmp_path, monkeypatch
    )
    assert all(torch.equal(v.cpu(), again.weights[k].cpu()) for k, v in whole.weights.items())
    save_evaluator(tmp_path / "judge", section, texts.spec, whole.weights)
    qualities = [
        language_model.assess(load_evaluator(tmp_path / "judge", place).evaluator, texts)
        for place in (DEVICE, "cpu")
    ]
    assert qualities[0] == pytest.approx(qualities[1], rel=1e-3)
