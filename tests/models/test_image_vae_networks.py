"""Networks of image VAEs: any size of image, from and to the shapes that are promised."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genline.core.errors import ModelError, ParamsError
from genline.core.params import parse_section
from genline.models.image_vae.config import Model
from genline.models.image_vae.networks.conv import attended, channels, patched
from genline.models.image_vae.networks.geometry import Geometry
from genline.models.image_vae.networks.registry import NETWORKS, make_networks
from genline.models.initialisation import seeded
from genline.models.networks.attention import SelfAttention2d
from genline.models.networks.pyramid import pyramid, stride
from genline.models.networks.residual import upsample

MODEL = Model(
    network="conv",
    width=4,
    blocks=1,
    latent=3,
    likelihood="binomial",
    pixels="draw",
    gmm_components=[1],
    units=16,
)
SIZES = [(8, 8), (9, 8), (8, 31), (28, 28), (13, 9), (17, 40)]


def geometry(height: int, width: int, planes: int = 3, outputs: int = 6) -> Geometry:
    return Geometry(height, width, planes=planes, latent=3, codes=5, outputs=outputs)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize(
    ("network", "attention"),
    [*((name, False) for name in sorted(NETWORKS)), ("conv", True), ("recurrent", True)],
)
def test_every_network_takes_and_gives_images_of_any_size(
    network: str, attention: bool, size: tuple[int, int]
) -> None:
    section = MODEL.model_copy(update={"network": network, "attention": attention})
    with seeded(0):
        encoder, decoder = make_networks(section, geometry(*size))
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), requires_grad=True)
    code = encoder(x)
    assert code.shape == (2, 6)
    image = decoder(torch.cat([code[:, :3], code[:, 4:]], -1))
    assert image.shape == (2, 6, *size)
    image.square().sum().backward()
    # Every pixel of an image reaches the code, and no pixel of another image does.
    (gradient,) = torch.autograd.grad(encoder(x)[0].square().sum(), x)
    assert (gradient[0].abs().sum(0) > 0).all()
    assert not gradient[1].any()
    assert any(isinstance(m, SelfAttention2d) for m in encoder.modules()) == attention
    assert any(isinstance(m, SelfAttention2d) for m in decoder.modules()) == attention


@pytest.mark.parametrize("size", [(8, 8), (13, 9), (28, 28)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_patches_cover_images_of_any_size_and_cost_less(size: tuple[int, int]) -> None:
    section = MODEL.model_copy(update={"patch": 2})
    encoder, decoder = make_networks(section, geometry(*size))
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (gradient,) = torch.autograd.grad(encoder(x)[0].square().sum(), x)
    assert (gradient[0].abs().sum(0) > 0).all()
    assert decoder(torch.zeros(2, 5)).shape == (2, 6, *size)
    assert encoder.body[0](torch.zeros(1, 12, *patched(geometry(*size), 2))).shape[-1] < size[1]


def test_a_patch_too_large_for_the_images_is_refused() -> None:
    with pytest.raises(ModelError, match="fewer than 4×4 patches; use a patch of 2 or less"):
        make_networks(MODEL.model_copy(update={"patch": 3}), geometry(11, 30))


@given(st.integers(8, 400), st.integers(8, 400))
def test_every_side_halves_until_it_is_short_and_the_strides_go_there(
    height: int, width: int
) -> None:
    sizes = pyramid(height, width)
    assert sizes[0] == (height, width)
    assert all(4 <= side <= 7 for side in sizes[-1])
    for size, following in pairwise(sizes):
        by = stride(size, following)
        # What a 3×3 convolution with a padding of 1 makes of a side.
        made = tuple((side - 1) // step + 1 for side, step in zip(size, by, strict=True))
        assert made == following
        assert upsample(torch.zeros(1, 1, *following), size).shape[2:] == size


def test_a_side_that_keeps_its_length_is_not_repeated() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert torch.equal(upsample(x, (2, 6)), x.repeat_interleave(2, 3))


def test_large_images_do_not_end_in_thousands_of_channels() -> None:
    assert channels(16, 2) == [16, 32]
    assert channels(16, 7) == [16, 32, 64, 128, 128, 128, 128]


def test_attention_looks_at_a_map_it_can_afford() -> None:
    assert attended(pyramid(8, 8)) == (8, 8)
    assert attended(pyramid(28, 28)) == (14, 14)
    assert attended(pyramid(128, 128)) == (16, 16)


@pytest.mark.parametrize(
    ("network", "size", "words"),
    [
        ("conv", (7, 9), "at least 8×8; these are 7×9: use network 'mlp' or 'recurrent'"),
        ("recurrent", (3, 30), "at least 4×4; these are 3×30: use network 'mlp'"),
    ],
)
def test_images_that_are_too_small_are_refused_with_what_takes_them(
    network: str, size: tuple[int, int], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        make_networks(MODEL.model_copy(update={"network": network}), geometry(*size))
    section = MODEL.model_copy(update={"network": "mlp"})
    _, decoder = make_networks(section, geometry(1, 1))
    assert decoder(torch.zeros(2, 5)).shape == (2, 6, 1, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "mlp", "attention": True}, "1×1.*use network 'conv' or 'recurrent'"),
        ({"network": "mlp", "patch": 2}, "use network 'conv', or set patch to 1"),
        ({"latent": 0}, "latent is 0; wanted: a whole number from 1"),
        ({"binarise": "static"}, "use likelihood 'bernoulli', or set binarise to 'none'"),
        ({"samplers": ["prior", "prior"]}, "names one twice"),
        ({"samplers": []}, "at least 1 entry"),
        ({"samplers": ["gnm"]}, "gnm"),
        ({"likelihood": "gausian"}, "did you mean 'gaussian'"),
        ({"network": "lstm"}, "known: conv, mlp, recurrent"),
        ({"gmm_components": [0]}, "gmm_components"),
    ],
)
def test_what_cannot_be_combined_is_refused_with_a_way_out(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ParamsError, match=words):
        parse_section(Model, MODEL.model_dump() | changes, "model")
