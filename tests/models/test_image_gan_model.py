"""Image generators and discriminators of every size and kind, and samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genline.core.errors import ModelError, ParamsError
from genline.core.params import parse_section
from genline.data.prepared import ImageSpec, TextSpec
from genline.models.image_gan import build
from genline.models.image_gan.codes import set_code
from genline.models.image_gan.config import Codes, Discriminator, Model
from genline.models.image_gan.discriminators import make_discriminator
from genline.models.image_gan.generators import GENERATORS
from genline.models.initialisation import seeded
from genline.models.networks.image_encoders import ENCODERS
from genline.models.networks.pixels import normalise, quantise
from genline.models.store import load_model, save_model

MODEL = Model(network="recurrent", latent=6, width=16, row_width=8, layers=1)
SPEC = ImageSpec(channels=1, height=8, width=8, levels=17, classes=10)
SPECS = [
    SPEC,
    ImageSpec(channels=3, height=8, width=12, levels=256, classes=0),
    ImageSpec(channels=1, height=28, width=28, levels=2, classes=0),
    ImageSpec(channels=2, height=9, width=19, levels=5, classes=3),
    ImageSpec(channels=1, height=1, width=3, levels=4, classes=2),
]


def make(spec: ImageSpec = SPEC, **changes: object) -> torch.nn.Module:
    with seeded(1):
        return build(MODEL.model_copy(update=changes), spec)


def judge(spec: ImageSpec = SPEC, classes: int = 0, **changes: object) -> torch.nn.Module:
    energy, codes = bool(changes.pop("energy", False)), changes.pop("codes", None)
    section = Discriminator(**{"network": "mlp", "width": 8, "layers": 1} | changes)
    with seeded(2):
        return make_discriminator(section, spec, energy=energy, classes=classes, codes=codes)


def images(spec: ImageSpec = SPEC, count: int = 6) -> torch.Tensor:
    noise = torch.Generator().manual_seed(4)
    return torch.rand(count, *spec.shape, generator=noise) * 2 - 1


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: "x".join(map(str, s.shape)))
@pytest.mark.parametrize("network", sorted(GENERATORS))
@pytest.mark.parametrize("conditional", [False, True])
def test_generators_give_images_of_every_size(
    spec: ImageSpec, network: str, conditional: bool
) -> None:
    if conditional and not spec.classes:
        with pytest.raises(ModelError, match="no labels"):
            make(spec, network=network, conditional=True)
        return
    attends = network in ("conv", "residual")
    changes = {"layers": 2, "conditional": conditional, "attention": attends}
    gan = make(spec, network=network, codes=Codes(categorical=[3], continuous=1), **changes)
    samples = gan.sample(5, torch.Generator().manual_seed(0))
    assert samples.shape == (5, *spec.shape)
    assert samples.dtype == torch.uint8
    assert int(samples.max()) < spec.levels


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: "x".join(map(str, s.shape)))
@pytest.mark.parametrize("network", sorted(ENCODERS))
@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
@pytest.mark.parametrize("energy", [False, True])
def test_discriminators_judge_images_of_every_size(
    spec: ImageSpec, network: str, norm: str, energy: bool
) -> None:
    attends = network in ("conv", "residual")
    network_d = judge(
        spec, spec.classes, network=network, layers=2, norm=norm, attention=attends, energy=energy
    )
    labels = torch.arange(6) % spec.classes if spec.classes else None
    assert network_d(images(spec), labels).shape == (6,)


@pytest.mark.parametrize("network", sorted(ENCODERS))
@pytest.mark.parametrize("norm", ["none", "spectral"])
def test_the_output_of_an_image_is_of_that_image_alone(network: str, norm: str) -> None:
    network_d = judge(network=network, norm=norm).eval()
    x = images()
    torch.testing.assert_close(network_d(x)[:2], network_d(x[:2]))


@pytest.mark.parametrize("network", sorted(ENCODERS))
def test_every_discriminator_has_the_second_derivative_that_penalties_want(network: str) -> None:
    network_d = judge(network=network)
    x = images().requires_grad_()
    (slope,) = torch.autograd.grad(network_d(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    weights = [p for p in network_d.body.parameters() if p.dim() > 1]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)


@pytest.mark.parametrize("network", ["mlp", "conv", "residual"])
def test_a_spectrally_normalised_discriminator_has_layers_of_norm_one(network: str) -> None:
    network_d = judge(network=network, norm="spectral")
    for _ in range(40):  # power iterations
        network_d(images())
    network_d.eval()
    layers = [m for m in network_d.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(
            1.0, abs=0.02
        )


def test_all_rows_of_a_pass_are_read_by_weights_normalised_once() -> None:
    """A power iteration a row would be slower by their number, and each row would meet others."""
    network_d = judge(network="recurrent", norm="spectral")
    cell = network_d.body.cells.cells[0]
    (norm,) = cell.parametrizations.weight_hh
    before, weight = norm._u.clone(), cell.parametrizations.weight_hh.original.detach()
    network_d(images())
    v = torch.nn.functional.normalize(weight.T @ before, dim=0)
    once = torch.nn.functional.normalize(weight @ v, dim=0)
    torch.testing.assert_close(norm._u, once, atol=1e-5, rtol=0)


def test_what_reads_codes_is_not_spectrally_normalised() -> None:
    """A bound on its slope would be a bound on how sure it can be of a code."""
    network_d = judge(norm="spectral", codes=Codes(categorical=[3]))
    assert torch.nn.utils.parametrize.is_parametrized(network_d.output)
    assert not any(
        torch.nn.utils.parametrize.is_parametrized(m) for m in network_d.reader.modules()
    )


def test_the_class_is_projected_on_the_features() -> None:
    network_d = judge(classes=10)
    x, labels = images(), torch.tensor([0, 1, 2, 3, 4, 5])
    features = network_d.features(x)
    told = network_d(x, labels) - network_d.output(features).flatten()
    expected = torch.stack([network_d.classes.weight[k] @ f for k, f in enumerate(features)])
    torch.testing.assert_close(told, expected)
    wide = judge(classes=10, width=4096)  # a class weighs no more than the image, however wide
    assert wide.classes.weight.std() < 3 * wide.output.weight.std()


def test_an_energy_is_the_error_of_an_autoencoder() -> None:
    network_d = judge(energy=True)
    x = images()
    rebuilt = network_d.decoder(network_d.features(x)).reshape(x.shape)
    torch.testing.assert_close(network_d(x), -((rebuilt - x) ** 2).mean((1, 2, 3)))
    assert (network_d(x) < 0).all()


def test_the_energy_of_a_black_image_can_always_be_raised() -> None:
    """Also where the decoder overshoots: a saturated output would pass no slope to its weights."""
    network_d = judge(energy=True)
    torch.nn.init.constant_(network_d.decoder[-1].bias, -20.0)
    network_d(torch.full((3, *SPEC.shape), -1.0)).sum().backward()
    assert network_d.decoder[-1].bias.grad.abs().min() > 0.1


def test_a_sigmoid_head_is_bounded() -> None:
    outputs = judge(head="sigmoid")(100 * images())
    assert ((outputs > 0) & (outputs < 1)).all()


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


@pytest.mark.parametrize("network", ["conv", "residual", "mlp", "recurrent_feedback"])
def test_a_conditional_model_draws_the_class_it_is_asked_for(network: str) -> None:
    gan = make(network=network, conditional=True).eval()
    with torch.no_grad():
        for parameter in gan.parameters():
            parameter.add_(
                0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7))
            )
    labels = torch.tensor([3, 3, 8, 8])
    drawn = gan.sample(4, torch.Generator().manual_seed(1), labels=labels)
    assert torch.equal(drawn, gan.sample(4, torch.Generator().manual_seed(1), labels=labels))
    other = gan.sample(4, torch.Generator().manual_seed(1), labels=torch.tensor([3, 3, 8, 7]))
    assert torch.equal(drawn[:3], other[:3])
    assert not torch.equal(drawn[3], other[3])


def test_labels_that_do_not_fit_are_refused() -> None:
    gan, noise = make(network="mlp", conditional=True), torch.Generator()
    with pytest.raises(ModelError, match="no label 10; use 0 to 9"):
        gan.sample(1, noise, labels=torch.tensor([10]))
    with pytest.raises(ModelError, match="2 samples want 2 labels"):
        gan.sample(2, noise, labels=torch.tensor([1]))
    with pytest.raises(ModelError, match="trained without labels"):
        make().sample(1, noise, labels=torch.tensor([1]))


def test_a_code_that_is_set_is_all_that_changes() -> None:
    gan = make(network="mlp", codes=Codes(categorical=[3, 2], continuous=2), width=64)
    drawn = [gan.draw_noise(5, torch.Generator().manual_seed(1)) for _ in range(2)]
    told = drawn[1][:, gan.latent :]
    for code, value in {1: 1.0, 3: -0.25}.items():
        set_code(told, gan.codes, code, value)
    assert torch.equal(told[:, 3:5], torch.tensor([0.0, 1.0]).expand(5, 2))
    assert torch.equal(told[:, 6], torch.full((5,), -0.25))
    kept = [i for i in range(gan.latent + 7) if i - gan.latent not in (3, 4, 6)]
    assert torch.equal(drawn[0][:, kept], drawn[1][:, kept])
    with torch.no_grad():
        wanted = quantise(gan.generate(drawn[1]), SPEC.levels)
    found = gan.sample(5, torch.Generator().manual_seed(1), fixed={1: 1.0, 3: -0.25})
    assert torch.equal(found, wanted)
    assert gan.code_values(0) == [0, 1, 2]
    assert gan.code_values(3) == [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({4: 0.0}, "no code 4; use 0 to 3"),
        ({0: 3.0}, "code 0 has 3 categories and none is 3; use 0 to 2"),
        ({1: 0.5}, "none is 0.5"),
        ({2: float("nan")}, "code 2 cannot be nan"),
    ],
)
def test_codes_that_there_are_not_are_refused(fixed: dict[int, float], words: str) -> None:
    gan = make(network="mlp", codes=Codes(categorical=[3, 2], continuous=2))
    with pytest.raises(ModelError, match=words):
        gan.sample(1, torch.Generator(), fixed=fixed)
    with pytest.raises(ModelError, match="trained without codes"):
        make().sample(1, torch.Generator(), fixed=fixed)


def test_classes_are_drawn_as_often_as_in_training() -> None:
    gan = make(network="mlp", conditional=True)
    shares = torch.tensor([0.5, 0.0, 0.3, 0.2, 0, 0, 0, 0, 0, 0])
    gan.class_shares.copy_(shares)
    drawn = gan.draw_labels(20_000, torch.Generator().manual_seed(3))
    assert torch.bincount(drawn, minlength=10)[1] == 0
    torch.testing.assert_close(
        torch.bincount(drawn, minlength=10) / 20_000, shares, atol=0.015, rtol=0
    )


def test_a_row_that_is_written_follows_from_the_one_before() -> None:
    """The noise of a row reaches its own row and those below it, and none above."""
    writer = make(network="recurrent_feedback").generator.writer
    noise = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (gradient,) = torch.autograd.grad(writer(noise)[0, 4].sum(), noise)
    reached = gradient[0].abs().sum(1) > 0
    assert reached.tolist() == [True] * 5 + [False] * 3
    # Without the states, what is left of the past is the row written before.
    with torch.no_grad():
        writer.cells.cells[0].weight_hh.zero_()
        for gate in writer.cells.cells[0].bias_ih.chunk(4)[1:2]:
            gate.fill_(-50.0)  # forget
    (gradient,) = torch.autograd.grad(writer(noise)[0, 4].sum(), noise)
    assert gradient[0, 3].abs().sum() > 0


@pytest.mark.parametrize("network", sorted(GENERATORS))
def test_a_stored_model_gives_the_same_samples(network: str, tmp_path: Path) -> None:
    gan = make(network=network)
    section = MODEL.model_copy(update={"network": network})
    save_model(tmp_path, "image_gan", section, SPEC, gan.state_dict())
    gan.eval()
    mine = gan.sample(8, torch.Generator().manual_seed(1))
    assert torch.equal(mine, load_model(tmp_path).model.sample(8, torch.Generator().manual_seed(1)))


def test_wrong_kinds_and_parameters_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="holds texts"):
        build(MODEL, TextSpec(vocabulary=10, max_tokens=5))
    with pytest.raises(ModelError, match="no sampler 'gmm'; known: model"):
        make().sample(1, torch.Generator(), "gmm")
    with pytest.raises(ParamsError, match=r"model\.row_width is 10"):
        parse_section(Model, MODEL.model_dump() | {"row_width": 10}, "model")
