"""Image generators and discriminators, losses against their formulas, and samples."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genline.core.errors import ModelError, ParamsError
from genline.core.params import parse_section
from genline.data.prepared import ImageSpec, TextSpec
from genline.models.image_gan import build
from genline.models.image_gan.config import Discriminator, Model
from genline.models.image_gan.discriminators import DISCRIMINATORS
from genline.models.image_gan.generators import GENERATORS
from genline.models.image_gan.objectives import OBJECTIVES, squared_gradient
from genline.models.initialisation import seeded
from genline.models.networks.pixels import normalise, quantise
from genline.models.store import load_model, save_model

MODEL = Model(network="recurrent", latent=6, width=16, row_width=8, layers=1)
SPEC = ImageSpec(channels=1, height=8, width=8, levels=17, classes=10)
SPECS = [
    SPEC,
    ImageSpec(channels=3, height=8, width=12, levels=256, classes=0),
    ImageSpec(channels=1, height=28, width=28, levels=2, classes=0),
]


def make(spec: ImageSpec = SPEC, **changes: object) -> torch.nn.Module:
    with seeded(1):
        return build(MODEL.model_copy(update=changes), spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: "x".join(map(str, s.shape)))
@pytest.mark.parametrize("network", sorted(GENERATORS))
@pytest.mark.parametrize("layers", [1, 2])
def test_shapes_hold_for_every_size_and_network(spec: ImageSpec, network: str, layers: int) -> None:
    gan = make(spec, network=network, layers=layers)
    samples = gan.sample(5, torch.Generator().manual_seed(0))
    assert samples.shape == (5, *spec.shape)
    assert samples.dtype == torch.uint8
    assert int(samples.max()) < spec.levels
    for name, discriminator in DISCRIMINATORS.items():
        network_d = discriminator(Discriminator(network=name, width=8, layers=layers), spec)
        assert network_d(normalise(samples, spec.levels)).shape == (5,)


@pytest.mark.parametrize("network", ["recurrent", "attention"])
def test_every_row_hears_of_every_other(network: str) -> None:
    gan = make(network=network)
    rows = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for row in range(8):
        (gradient,) = torch.autograd.grad(
            gan.generator.over_rows(rows)[0, row, [0, -1]].sum(), rows
        )
        assert (gradient[0].abs().sum(1) > 0).all()


def test_an_image_s_pixels_stand_in_their_own_rows() -> None:
    """A row generator's outputs for row r and column c land at [:, r, c]."""
    spec = ImageSpec(channels=2, height=8, width=3, levels=17, classes=0)
    generator = make(spec).generator
    with torch.no_grad():
        generator.head.weight.zero_()
        generator.head.bias.copy_(torch.atanh(torch.arange(6) / 10))
        image = generator(torch.zeros(1, 6))[0]
    expected = torch.arange(6).reshape(3, 2).T / 10  # column by column, channels together
    torch.testing.assert_close(image, expected[:, None, :].expand(2, 8, 3))


def test_losses_are_their_formulas() -> None:
    real, fake = torch.tensor([0.5, -2.0, 3.0]), torch.tensor([-1.5, 0.25, 2.0])
    log_sigmoid = torch.nn.functional.logsigmoid
    non_saturating, hinge = OBJECTIVES["non_saturating"], OBJECTIVES["hinge"]
    expected = -(log_sigmoid(real).mean() + torch.log1p(-torch.sigmoid(fake)).mean())
    torch.testing.assert_close(non_saturating.discriminator(real, fake), expected)
    torch.testing.assert_close(non_saturating.generator(fake), -log_sigmoid(fake).mean())
    assert hinge.discriminator(real, fake).item() == pytest.approx(
        (0.5 + 3 + 0) / 3 + (0 + 1.25 + 3) / 3
    )
    assert hinge.generator(fake).item() == pytest.approx(-0.25)


def test_a_discriminator_that_cannot_tell_pays_two_log_two() -> None:
    zero = torch.zeros(4)
    assert OBJECTIVES["non_saturating"].discriminator(zero, zero).item() == pytest.approx(
        2 * math.log(2)
    )


def test_the_gradient_penalty_of_a_linear_discriminator_is_its_squared_norm() -> None:
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 1), torch.nn.Flatten(0))
    real = torch.randn(7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    penalty = squared_gradient(linear, real)
    weight = linear[1].weight
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 2 * weight.detach())


@given(st.integers(2, 256), st.data())
def test_quantising_undoes_normalising(levels: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, levels - 1))
    x = torch.tensor([level], dtype=torch.uint8)
    seen = normalise(x, levels)
    assert seen.item() == pytest.approx(2 * level / (levels - 1) - 1, abs=1e-6)
    assert torch.equal(quantise(seen, levels), x)


def test_quantising_has_a_fixed_range() -> None:
    dull = torch.tensor([-0.1, 0.0, 0.1])
    assert quantise(dull, 17).tolist() == [7, 8, 9]
    assert quantise(torch.tensor([-3.0, 3.0]), 17).tolist() == [0, 16]


def test_samples_depend_on_the_generator_and_on_nothing_else() -> None:
    gan = make()
    torch.manual_seed(5)
    first = gan.sample(6, torch.Generator().manual_seed(9))
    torch.manual_seed(6)
    state = torch.random.get_rng_state()
    assert torch.equal(first, gan.sample(6, torch.Generator().manual_seed(9)))
    assert torch.equal(state, torch.random.get_rng_state())
    assert not torch.equal(first, gan.sample(6, torch.Generator().manual_seed(10)))


@pytest.mark.parametrize("network", sorted(GENERATORS))
def test_a_stored_model_gives_the_same_samples(network: str, tmp_path: Path) -> None:
    gan = make(network=network)
    section = MODEL.model_copy(update={"network": network})
    save_model(tmp_path, "image_gan", section, SPEC, gan.state_dict())
    mine = gan.sample(8, torch.Generator().manual_seed(1))
    assert torch.equal(mine, load_model(tmp_path).model.sample(8, torch.Generator().manual_seed(1)))


def test_wrong_kinds_and_parameters_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="holds texts"):
        build(MODEL, TextSpec(vocabulary=10, max_tokens=5))
    with pytest.raises(ModelError, match="no sampler 'gmm'; known: model"):
        make().sample(1, torch.Generator(), "gmm")
    with pytest.raises(ParamsError, match=r"model\.row_width is 10"):
        parse_section(Model, MODEL.model_dump() | {"row_width": 10}, "model")
