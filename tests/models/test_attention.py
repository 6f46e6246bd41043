"""Self-attention between the positions of a feature map."""

from __future__ import annotations

import pytest
import torch

from genline.models.initialisation import seeded
from genline.models.networks.attention import SelfAttention2d


def make(channels: int, gamma: float) -> SelfAttention2d:
    with seeded(1):
        attention = SelfAttention2d(channels)
    torch.nn.init.constant_(attention.gamma, gamma)
    return attention


def maps(channels: int, height: int, width: int) -> torch.Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 3, 5), (16, 4, 4), (24, 1, 7)])
def test_it_starts_as_the_identity_whatever_the_shape(
    channels: int, height: int, width: int
) -> None:
    with seeded(1):
        attention = SelfAttention2d(channels)
    x = maps(channels, height, width)
    assert torch.equal(attention(x), x)


def test_gamma_learns_from_the_start() -> None:
    attention = make(16, gamma=0.0)
    attention(maps(16, 4, 4)).square().sum().backward()
    assert attention.gamma.grad is not None
    assert attention.gamma.grad.abs() > 0


def test_it_is_torchs_attention_over_the_positions() -> None:
    attention, x = make(16, gamma=0.7), maps(16, 3, 5)
    flat = [f(x).flatten(2).transpose(1, 2) for f in (attention.query, attention.key)]
    value = attention.value(x).flatten(2).transpose(1, 2)
    mixed = torch.nn.functional.scaled_dot_product_attention(*flat, value, scale=1.0)
    expected = x + 0.7 * attention.output(mixed.transpose(1, 2).reshape(2, 8, 3, 5))
    torch.testing.assert_close(attention(x), expected)
    torch.testing.assert_close(attention.weights(x).sum(-1), torch.ones(2, 15))


def test_moving_the_positions_moves_the_output_alike() -> None:
    attention, x = make(16, gamma=0.7), maps(16, 4, 4)
    torch.testing.assert_close(attention(x.flip(-1)), attention(x).flip(-1))
    torch.testing.assert_close(attention(x.transpose(-1, -2)), attention(x).transpose(-1, -2))


def test_every_position_reaches_every_other() -> None:
    attention, x = make(8, gamma=1.0), maps(8, 4, 5).requires_grad_()
    attention(x)[0, :, 0, 0].sum().backward()
    assert x.grad is not None
    assert (x.grad[0].abs().sum(0) > 0).all()
    assert x.grad[1].abs().sum() == 0
