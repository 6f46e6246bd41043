"""Adversarial autoencoders and VAE-GANs: what they keep, and that training does its work."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from image_folder import write_digits
from lightning_fabric import Fabric

from genline.core.errors import ModelError, ParamsError
from genline.core.params import parse_section
from genline.data.prepared import ImageSpec, PreparedImages, TextSpec
from genline.models.base import ImageAutoencoder, VariationalModel
from genline.models.image_hybrid import build as build_model
from genline.models.image_hybrid.config import Discriminator, Model, Train
from genline.models.initialisation import seeded
from genline.models.store import load_model, save_model
from genline.training.engine.recipe import Context
from genline.training.recipes.image_hybrid import ImageHybridRecipe, build

MODEL = Model(network="mlp", latent=4, width=32, layers=1)
TRAIN = Train(
    steps=1000,
    batch=16,
    objective="vae_gan",
    discriminator=Discriminator(width=32, layers=1, norm="spectral"),
    adversarial=0.1,
    beta=0.1,
    learning_rate=0.006,
    decay=0.0,
    beta1=0.5,
    beta2=0.9,
    ema=0.9,
    validate_every=40,
)
SPEC = ImageSpec(channels=1, height=8, width=8, levels=17, classes=10)
OBJECTIVES = ["adversarial_autoencoder", "vae_gan"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> PreparedImages:
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


def recipe(
    digits: PreparedImages, model: dict[str, object] | None = None, **changes: object
) -> ImageHybridRecipe:
    made = build(
        Context(Fabric(accelerator="cpu", devices=1), 3),
        digits,
        MODEL.model_copy(update=model or {}),
        TRAIN.model_copy(update=changes),
    )
    assert isinstance(made, ImageHybridRecipe)
    return made


@pytest.mark.parametrize(("network", "width"), [("mlp", 32), ("conv", 8), ("residual", 8)])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_samples_and_reconstructions_come_nearer_to_the_data(
    digits: PreparedImages, network: str, width: int, objective: str
) -> None:
    made = recipe(digits, {"network": network, "width": width}, objective=objective)
    untrained = made.validate(0)
    rows = [{k: v.item() for k, v in made.step(step).items()} for step in range(25)]
    assert all(torch.isfinite(torch.tensor(list(row.values()))).all() for row in rows)
    trained = made.validate(25)
    assert trained["valid_distance"] < 0.9 * untrained["valid_distance"]
    assert trained["valid_squared_error"] < untrained["valid_squared_error"]


def test_an_adversarial_autoencoder_draws_its_latents_to_the_prior(digits: PreparedImages) -> None:
    def spread(adversarial: float) -> float:
        made = recipe(digits, objective="adversarial_autoencoder", adversarial=adversarial)
        for step in range(60):
            made.step(step)
        codes = made.average.module.encode(torch.tensor(digits.split("valid").images))
        return float((codes.var(0).log()).square().mean())

    assert spread(20.0) < spread(0.0)


def test_the_deceit_of_a_decoded_latent_does_not_reach_the_encoder(
    digits: PreparedImages,
) -> None:
    """Larsen et al. 2016, section 2.3.2: the encoder minimises KL and error alone."""
    gradients = []
    for weight in (0.0, 5.0):
        made = recipe(digits, adversarial=weight)
        made.step(0)
        gradients.append([p.grad.clone() for p in made.hybrid.to_posterior.parameters()])
    for without, with_it in zip(*gradients, strict=True):
        torch.testing.assert_close(without, with_it)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_resumed_training_ends_bit_identical(digits: PreparedImages, objective: str) -> None:
    whole, rest = (recipe(digits, objective=objective) for _ in range(2))
    for step in range(3):
        whole.step(step)
    rest.load_state_dict(copy.deepcopy(whole.state_dict()))
    for step in range(3, 6):
        whole.step(step)
        rest.step(step)
    for name, value in whole.result().items():
        assert torch.equal(value, rest.result()[name]), name


def test_a_hybrid_encodes_and_decodes_and_claims_no_likelihood(tmp_path: Path) -> None:
    with seeded(1):
        model = build_model(MODEL, SPEC).eval()
    assert isinstance(model, ImageAutoencoder)
    assert not isinstance(model, VariationalModel)
    save_model(tmp_path, "image_hybrid", MODEL, SPEC, model.state_dict())
    stored = load_model(tmp_path).model
    x = torch.randint(0, 17, (3, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(stored.decode(stored.encode(x)), model.decode(model.encode(x)))
    drawn = stored.sample(5, torch.Generator().manual_seed(0))
    assert drawn.shape == (5, 1, 8, 8) and drawn.dtype == torch.uint8
    assert torch.equal(drawn, model.sample(5, torch.Generator().manual_seed(0), "prior"))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ModelError, match="holds texts"):
        build_model(MODEL, TextSpec(vocabulary=10, max_tokens=5))
    wrong = TRAIN.model_dump() | {"objective": "adversarial_autoencoder"}
    wrong["discriminator"] = wrong["discriminator"] | {"network": "conv"}
    with pytest.raises(ParamsError, match="sees latents, which are no images; use network: mlp"):
        parse_section(Train, wrong, "train")
    wrong["discriminator"] = TRAIN.model_dump()["discriminator"]
    with pytest.raises(ParamsError, match=r"beta is 0\.1, .* does not have; use adversarial"):
        parse_section(Train, wrong, "train")
