"""Training of image VAEs: every network learns with every likelihood; what is fitted after."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from image_folder import write_digits
from lightning_fabric import Fabric

from genline.core.errors import ModelError, ParamsError
from genline.data.prepared import PreparedImages
from genline.models.image_vae.config import Model, Train
from genline.models.image_vae.likelihoods.registry import LIKELIHOODS
from genline.models.image_vae.model import ImageVAE
from genline.models.image_vae.networks.registry import NETWORKS
from genline.models.networks.gaussian import kl_to_standard_normal
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.image_vae import ImageVAERecipe, build

MODEL = Model(
    network="conv",
    width=8,
    blocks=1,
    latent=4,
    likelihood="binomial",
    pixels="draw",
    gmm_components=[1, 3],
    units=32,
    second_stage_width=16,
)
TRAIN = Train(
    steps=30,
    batch=32,
    learning_rate=0.005,
    weight_decay=0.01,
    beta=1.0,
    kl_warmup=0.5,
    free_bits=0.0,
    clip=1000.0,
    ema=0.8,
    validate_every=30,
    gmm_draws=2,
    gmm_regularisation=0.01,
    second_stage_steps=20,
)
ALL_SAMPLERS = ["gmm", "two_stage", "prior"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedImages:
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


def vae(
    digits: PreparedImages, model: dict[str, object] | None = None, **changes: object
) -> ImageVAERecipe:
    section = MODEL.model_copy(update=model or {})
    context = Context(Fabric(accelerator="cpu", devices=1), 3)
    recipe = build(context, digits, section, TRAIN.model_copy(update=changes))
    assert isinstance(recipe, ImageVAERecipe)
    return recipe


def finished(recipe: ImageVAERecipe) -> ImageVAE:
    for step in range(recipe.steps):
        recipe.step(step)
    recipe.finish(recipe.result())
    kept = recipe.average.module
    assert isinstance(kept, ImageVAE)
    return kept


def combinations() -> list[tuple[str, str, bool, bool]]:
    """Each network with each likelihood; attention and labels in turn, so that both occur with
    every network that takes them."""
    pairs = enumerate(product(sorted(NETWORKS), sorted(LIKELIHOODS)))
    return [(n, li, n != "mlp" and i % 2 == 0, i % 2 == 1) for i, (n, li) in pairs]


@pytest.mark.parametrize(("network", "likelihood", "attention", "conditional"), combinations())
def test_every_network_with_every_likelihood_learns(
    digits: PreparedImages,
    tmp_path: Path,
    network: str,
    likelihood: str,
    attention: bool,
    conditional: bool,
) -> None:
    choice = {
        "network": network,
        "likelihood": likelihood,
        "binarise": "static" if likelihood == "bernoulli" else "none",
        "attention": attention,
        "conditional": conditional,
    }
    recipe = vae(digits, choice)
    untrained = recipe.validate(0)["valid_loss"]
    rows = train("vae", recipe, Checkpoints(tmp_path, "v", "d")).history.rows
    assert all(np.isfinite(value) for row in rows for value in row.values())
    # A density may fall below 0, so what is asked for is nats, not a share.
    assert rows[-1]["valid_loss"] < untrained - 3


@pytest.mark.parametrize("conditional", [False, True])
def test_all_samplers_are_fitted_and_give_images(digits: PreparedImages, conditional: bool) -> None:
    kept = finished(vae(digits, {"samplers": ALL_SAMPLERS, "conditional": conditional}))
    drawn = [kept.sample(20, torch.Generator().manual_seed(1), name) for name in ALL_SAMPLERS]
    assert all(int(images.max()) <= 16 for images in drawn)
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])
    assert kept.second_stage is not None
    assert float(kept.second_stage.log_scale) != 0


def test_a_conditional_model_learns_what_its_labels_mean(digits: PreparedImages) -> None:
    section = {"conditional": True, "latent": 2, "network": "mlp", "width": 64}
    recipe = vae(digits, section, steps=150)
    kept = finished(recipe)
    assert kept.labels is not None
    labels = digits.split("train").labels
    assert kept.labels.counts.tolist() == np.bincount(labels, minlength=10).tolist()
    x, real = recipe.images, torch.tensor(np.asarray(labels))
    with torch.no_grad():
        z, _ = kept.posterior(x)
        right = kept.log_likelihood(x, z).mean()
        others = kept.labelled(x[:, :-1], (real + 1) % 10)
        wrong = kept.log_likelihood(others, z).mean()
    assert right > wrong + 5
    noughts = torch.zeros(200, dtype=torch.int64)
    zeros = kept.sample(200, torch.Generator().manual_seed(1), "gmm", labels=noughts)
    means = torch.stack([x[real == label, 0].float().mean(0) for label in range(10)])
    assert (zeros.float().mean(0) - means).square().sum((1, 2)).argmin() == 0


def test_the_scale_of_a_gaussian_is_that_of_its_errors_on_the_held_out_images(
    digits: PreparedImages,
) -> None:
    recipe = vae(digits, {"likelihood": "gaussian", "network": "mlp"}, steps=60)
    kept = finished(recipe)
    with torch.no_grad():
        mean, _ = kept.posterior(recipe.held_out)
        parameters, x = kept.parameters_of(recipe.held_out, mean)
    at_the_mean = (parameters - (x / 8 - 1)).square().mean()
    variance = kept.likelihood.variance
    # From draws of z, so a little above that of its mean.
    assert at_the_mean < variance < 1.5 * at_the_mean


def test_a_normed_mean_holds_the_kl_where_beta_would_crush_it(digits: PreparedImages) -> None:
    crushing = {"beta": 50.0, "kl_warmup": 0.0}
    found = []
    for gamma in (0.0, 0.5):
        recipe = vae(digits, {"mean_norm": gamma, "network": "mlp"}, **crushing)
        kept = finished(recipe)
        found.append(float(kl_to_standard_normal(*kept.posterior(recipe.images)).mean()))
    assert found[0] < 0.05
    assert found[1] > 0.95 * 0.5**2 / 2


def test_fitting_takes_no_more_images_than_asked_for(digits: PreparedImages) -> None:
    first, second = (
        vae(digits, {"network": "mlp"}, gmm_most=most, steps=5) for most in (20, 10**6)
    )
    a, b = finished(first), finished(second)
    assert torch.equal(a.decoder.body[0].weight, b.decoder.body[0].weight)
    assert not torch.equal(a.gmm.means, b.gmm.means)


CHOICES = [
    {"likelihood": "gaussian", "mean_norm": 0.5, "samplers": ALL_SAMPLERS},
    {"network": "recurrent", "attention": True, "conditional": True},
]


@pytest.mark.parametrize("model", CHOICES, ids=["gaussian", "conditional"])
def test_a_resumed_training_ends_bit_identical(
    digits: PreparedImages, model: dict[str, object]
) -> None:
    whole, first, second = (vae(digits, model, steps=6) for _ in range(3))
    for step in range(6):
        whole.step(step)
    for step in range(3):
        first.step(step)
    second.load_state_dict(first.state_dict())
    for step in range(3, 6):
        second.step(step)
    world = torch.random.get_rng_state()
    resumed = second.finish(second.result())
    for name, value in whole.finish(whole.result()).items():
        assert torch.equal(value, resumed[name]), name
    assert torch.equal(world, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("model", "train_changes", "error", "words"),
    [
        ({}, {"batch": 201}, ParamsError, "only 200 training items; use 200 or fewer"),
        (
            {"mean_norm": 1.0},
            {"batch": 1},
            ParamsError,
            "use a batch of 2 or more, or set mean_norm",
        ),
        ({"likelihood": "bernoulli"}, {}, ModelError, "use likelihood 'binomial', or set"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_first_step(
    digits: PreparedImages,
    model: dict[str, object],
    train_changes: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        vae(digits, model, **train_changes)
