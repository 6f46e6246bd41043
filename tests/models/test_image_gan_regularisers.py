"""Regularisers of an image GAN on networks whose gradients are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from genline.models.image_gan.regularisers import (
    clip_weights,
    feature_matching,
    gradient_penalty,
    squared_gradient,
)
from genline.models.networks.minibatch_discrimination import MinibatchDiscrimination


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def linear() -> nn.Sequential:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
    with torch.no_grad():
        network[1].weight.copy_(noise(1, 64, seed=5) / 4)
    return network


def test_the_squared_gradient_of_a_linear_discriminator_is_its_squared_norm(
    linear: nn.Sequential,
) -> None:
    penalty = squared_gradient(linear, noise(7, 1, 8, 8))
    weight = linear[1].weight
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 2 * weight.detach())


def test_the_squared_gradient_of_a_quadratic_is_a_mean_over_images() -> None:
    images = noise(5, 1, 2, 2)
    penalty = squared_gradient(lambda x: x.square().flatten(1).sum(1), images)
    assert penalty.item() == pytest.approx(4 * images.square().flatten(1).sum(1).mean().item())


def test_the_gradient_penalty_of_a_linear_critic_is_how_far_its_norm_is_from_one(
    linear: nn.Sequential,
) -> None:
    real, fake = noise(7, 1, 8, 8), noise(7, 1, 8, 8, seed=1)
    penalty = gradient_penalty(linear, real, fake, torch.Generator().manual_seed(2))
    weight = linear[1].weight
    norm = weight.norm().item()
    assert penalty.item() == pytest.approx((norm - 1) ** 2, rel=1e-4)
    (gradient,) = torch.autograd.grad(penalty, weight)
    expected = 2 * (norm - 1) / norm * weight.detach()
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_penalty_is_finite_where_there_is_no_slope() -> None:
    flat = nn.Parameter(torch.zeros(4))
    penalty = gradient_penalty(
        lambda x: x.flatten(1) @ flat, noise(3, 1, 2, 2), noise(3, 1, 2, 2, seed=1), generator()
    )
    assert penalty.item() == pytest.approx(1.0, rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, flat)
    assert torch.isfinite(gradient).all()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_the_gradient_penalty_looks_between_real_and_generated_images() -> None:
    seen = []

    def outputs(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    gradient_penalty(outputs, torch.ones(500, 1, 1, 2), torch.zeros(500, 1, 1, 2), generator())
    along = seen[0][:, 0, 0]
    assert torch.equal(along[:, 0], along[:, 1])  # one place on the line for a whole image
    assert along.min() >= 0 and along.max() <= 1
    assert along.mean().item() == pytest.approx(0.5, abs=0.05)


def test_matched_features_are_the_means_alone() -> None:
    real, fake = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[2.0, 2.0], [2.0, 0.0]])
    assert feature_matching(real, fake).item() == pytest.approx(0 + 4)
    assert feature_matching(real, real.flip(0)).item() == 0


def test_clipped_weights_stay_within_the_limit() -> None:
    network = nn.Linear(4, 3)
    with torch.no_grad():
        network.weight.copy_(noise(3, 4))
    expected = network.weight.detach().clamp(-0.2, 0.2)
    clip_weights(network, 0.2)
    assert torch.equal(network.weight, expected)


def test_minibatch_features_are_the_closeness_to_all_others() -> None:
    layer = MinibatchDiscrimination(3, kernels=2, dimensions=4)
    with torch.no_grad():
        layer.project.weight.copy_(noise(8, 3))
    x = noise(5, 3, seed=9)
    found = layer(x)
    assert torch.equal(found[:, :3], x)
    m = (x @ layer.project.weight.detach().T).reshape(5, 2, 4)
    for i in range(5):
        for b in range(2):
            others = [j for j in range(5) if j != i]
            near = sum(math.exp(-float((m[i, b] - m[j, b]).abs().sum())) for j in others)
            assert found[i, 3 + b].item() == pytest.approx(near, rel=1e-4)


def test_a_batch_of_copies_is_as_near_as_can_be() -> None:
    layer = MinibatchDiscrimination(3, kernels=2)
    torch.testing.assert_close(layer(torch.ones(6, 3))[:, 3:], torch.full((6, 2), 5.0))
