"""Layers that several families share."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import energy_distance as root_of_half_energy_distance

from genline.models.networks.dropout import dropout
from genline.models.networks.energy import energy_distance
from genline.models.networks.gaussian import draw_posterior, log_prior_ratio
from genline.models.networks.mlp import mlp
from genline.models.networks.residual import ResidualBlock, resolutions, upsample


def test_dropout_keeps_the_mean_and_draws_from_its_generator_alone() -> None:
    x = torch.ones(200_000)
    state = torch.random.get_rng_state()
    dropped = dropout(x, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(dropped, dropout(x, 0.3, torch.Generator().manual_seed(0)))
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


def test_dropout_without_generator_or_probability_changes_nothing() -> None:
    x = torch.randn(5, generator=torch.Generator().manual_seed(0))
    assert dropout(x, 0.5, None) is x
    assert dropout(x, 0.0, torch.Generator()) is x


def test_a_fresh_residual_block_is_the_identity() -> None:
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ResidualBlock(4)(x), x)


@given(st.integers(1, 20), st.integers(1, 20), st.booleans(), st.booleans())
def test_upsampling_repeats_every_pixel(h: int, w: int, odd_h: bool, odd_w: bool) -> None:
    x = torch.arange(float(h * w)).reshape(1, 1, h, w)
    size = (2 * h - odd_h, 2 * w - odd_w)
    expected = torch.nn.functional.interpolate(x, scale_factor=2)[..., : size[0], : size[1]]
    assert torch.equal(upsample(x, size), expected)


@given(st.integers(8, 300), st.integers(8, 300))
def test_every_resolution_is_at_most_twice_the_next(height: int, width: int) -> None:
    sizes = resolutions(height, width)
    assert sizes[0] == (height, width)
    assert 4 <= min(sizes[-1]) <= 7 or len(sizes) == 1
    for (h, w), (less_h, less_w) in pairwise(sizes):
        assert (less_h, less_w) == ((h + 1) // 2, (w + 1) // 2)


def test_an_mlp_ends_in_a_linear_layer() -> None:
    layers = mlp([3, 5, 5, 2])
    assert layers(torch.zeros(4, 3)).shape == (4, 2)
    assert isinstance(layers[-1], torch.nn.Linear)
    assert sum(isinstance(layer, torch.nn.LeakyReLU) for layer in layers) == 2


def test_energy_distance_is_scipys_in_one_dimension() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(400, 1, generator=generator), torch.randn(300, 1, generator=generator) + 0.8
    # scipy's is the square root of the biased form, whose pairs include an item with itself.
    biased = root_of_half_energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    within = float(torch.cdist(x, x).mean()) / 399 + float(torch.cdist(y, y).mean()) / 299
    assert energy_distance(x, y).distance == pytest.approx(biased - within, rel=1e-4)


def test_energy_distance_of_equal_distributions_is_zero_on_average() -> None:
    generator = torch.Generator().manual_seed(0)
    found = [
        energy_distance(*torch.randn(2, 40, 5, generator=generator)).distance for _ in range(200)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(200)
    assert min(found) < 0 < max(found)


def test_the_prior_ratio_is_that_of_the_two_densities() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 4, 3, generator=generator)
    z = draw_posterior(mean, log_variance, generator, draws=6)
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    p = torch.distributions.Normal(0.0, 1.0)
    expected = (p.log_prob(z) - q.log_prob(z)).sum(-1)
    torch.testing.assert_close(log_prior_ratio(z, mean, log_variance), expected)
    assert expected.shape == (6, 4)


def test_energy_distance_from_a_single_item_is_finite() -> None:
    assert energy_distance(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])).distance == 10.0


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_error_of_an_energy_distance_is_its_spread_over_draws(shift: float) -> None:
    """At a distance, where its first term leads, and at none, where the second does."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(400, 4, generator=generator)
    found = [
        energy_distance(torch.randn(100, 4, generator=generator) + shift, y) for _ in range(150)
    ]
    spread = float(np.std([f.distance for f in found], ddof=1))
    error = float(np.sqrt(np.mean([f.error**2 for f in found])))
    assert error == pytest.approx(spread, rel=0.25)
