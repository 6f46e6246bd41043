"""Training of image models: every combination steps, short runs improve, resuming is exact."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from image_folder import write_digits
from lightning_fabric import Fabric

from genline.data.prepared import PreparedImages
from genline.models import image_gan, image_vae
from genline.models.image_gan.config import Discriminator
from genline.models.image_vae.likelihoods.registry import LIKELIHOODS
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context, Recipe
from genline.training.recipes.image_gan import build as build_gan
from genline.training.recipes.image_vae import ImageVAERecipe
from genline.training.recipes.image_vae import build as build_vae

VAE = image_vae.config.Model(
    network="conv",
    width=4,
    blocks=1,
    latent=4,
    likelihood="binomial",
    pixels="draw",
    gmm_components=[1, 3],
)
VAE_TRAIN = image_vae.config.Train(
    steps=12,
    batch=16,
    learning_rate=0.005,
    weight_decay=0.01,
    beta=1.0,
    kl_warmup=0.5,
    free_bits=0.0,
    clip=10.0,
    ema=0.9,
    validate_every=4,
    gmm_draws=2,
    gmm_regularisation=0.01,
)
GAN = image_gan.config.Model(network="recurrent", latent=8, width=32, row_width=16, layers=1)
GAN_TRAIN = image_gan.config.Train(
    steps=12,
    batch=16,
    discriminator=Discriminator(network="mlp", width=32, layers=2),
    objective="non_saturating",
    r1_gamma=1.0,
    r1_every=4,
    learning_rate=0.002,
    decay=0.5,
    beta1=0.0,
    beta2=0.99,
    ema=0.9,
    validate_every=4,
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedImages:
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


def context(seed: int = 3) -> Context:
    return Context(Fabric(accelerator="cpu", devices=1), seed)


def vae(
    digits: PreparedImages, model: dict[str, object] | None = None, **changes: object
) -> Recipe:
    section = VAE.model_copy(update=model or {})
    return build_vae(context(), digits, section, VAE_TRAIN.model_copy(update=changes))


def gan(
    digits: PreparedImages, model: dict[str, object] | None = None, **changes: object
) -> Recipe:
    section = GAN.model_copy(update=model or {})
    return build_gan(context(), digits, section, GAN_TRAIN.model_copy(update=changes))


@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
def test_one_vae_step_is_finite_and_its_loss_is_the_negative_elbo(
    digits: PreparedImages, likelihood: str
) -> None:
    binarise = "static" if likelihood == "bernoulli" else "none"
    figures = vae(digits, {"likelihood": likelihood, "binarise": binarise}, kl_warmup=0.0).step(0)
    torch.testing.assert_close(figures["loss"], figures["reconstruction"] + figures["kl"])
    assert torch.isfinite(figures["loss"])


def test_free_bits_stop_the_pull_of_a_small_divergence(digits: PreparedImages) -> None:
    figures = vae(digits, kl_warmup=0.0, free_bits=5.0).step(0)
    torch.testing.assert_close(figures["loss"], figures["reconstruction"] + 4 * 5.0)


def test_beta_rises_over_the_warm_up(digits: PreparedImages) -> None:
    recipe = vae(digits, kl_warmup=0.5, beta=2.0)
    shares = []
    for step in range(8):
        figures = {name: value.item() for name, value in recipe.step(step).items()}
        shares.append((figures["loss"] - figures["reconstruction"]) / figures["kl"])
    expected = [2 * min(1, (step + 1) / 6) for step in range(8)]
    assert shares == pytest.approx(expected, rel=5e-3)


def test_a_short_vae_training_keeps_its_best_state_and_fits_its_mixture(
    digits: PreparedImages, tmp_path: Path
) -> None:
    trained = train(
        "vae", vae(digits, steps=150, validate_every=30), Checkpoints(tmp_path, "v", "d")
    )
    valid = [row["valid_loss"] for row in trained.history.rows if "valid_loss" in row]
    assert min(valid) < 0.8 * valid[0]
    model = image_vae.build(VAE, digits.spec)
    model.load_state_dict(trained.weights)
    judge = vae(digits)
    assert isinstance(judge, ImageVAERecipe)
    judge.average.module.load_state_dict(trained.weights)
    assert judge.validate(0)["valid_loss"] == pytest.approx(min(valid), rel=1e-5)
    assert {"loss", "reconstruction", "kl", "valid_loss"} <= set().union(*trained.history.rows)
    assert float(model.gmm.means.abs().max()) > 0


@pytest.mark.parametrize("make", [vae, gan], ids=["vae", "gan"])
def test_a_resumed_training_ends_bit_identical(make, digits: PreparedImages) -> None:  # type: ignore[no-untyped-def]
    whole, first, second = make(digits), make(digits), make(digits)
    for step in range(12):
        whole.step(step)
    for step in range(5):
        first.step(step)
    second.load_state_dict(first.state_dict())
    for step in range(5, 12):
        second.step(step)
    for name, value in whole.finish(whole.result()).items():
        assert torch.equal(value, second.finish(second.result())[name]), name


@pytest.mark.parametrize("make", [vae, gan], ids=["vae", "gan"])
def test_validation_is_the_same_each_time_and_disturbs_no_stream(
    make, digits: PreparedImages
) -> None:  # type: ignore[no-untyped-def]
    recipe = make(digits)
    streams = [g.get_state() for g in recipe.generators.values()]
    world = torch.random.get_rng_state()
    assert recipe.validate(1) == recipe.validate(2)
    recipe.step(0)
    assert torch.equal(world, torch.random.get_rng_state())
    recipe = make(digits)
    recipe.validate(1)
    assert all(
        torch.equal(a, g.get_state())
        for a, g in zip(streams, recipe.generators.values(), strict=True)
    )


@pytest.mark.parametrize("make", [vae, gan], ids=["vae", "gan"])
def test_the_seed_decides_the_training(make, digits: PreparedImages) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(1)
    first = make(digits).step(0)["loss"]
    torch.manual_seed(2)
    assert torch.equal(first, make(digits).step(0)["loss"])
