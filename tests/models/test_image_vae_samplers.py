"""The latent samplers: moments, the choice of the number of components, room for fewer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from genline.models.image_vae.samplers.mixture import ClassMixtures, GaussianMixture, fit_mixture
from genline.models.image_vae.samplers.prior import draw_standard_normal
from genline.models.image_vae.samplers.second_stage import SecondStage, fit_second_stage
from genline.models.initialisation import seeded
from genline.models.networks.energy import energy_distance

RANDOM = np.random.default_rng(0)
WEIGHTS = np.array([0.2, 0.5, 0.3])
MEANS = np.array([[-6.0, 0.0], [0.0, 5.0], [6.0, -1.0]])
COVARIANCES = np.array([[[1.0, 0.6], [0.6, 1.0]], [[0.5, -0.3], [-0.3, 0.8]], [[2.0, 0], [0, 0.3]]])


def mixture_moments() -> tuple[np.ndarray, np.ndarray]:
    mean = WEIGHTS @ MEANS
    second = COVARIANCES + MEANS[:, :, None] * MEANS[:, None, :]
    return mean, np.einsum("k,kij->ij", WEIGHTS, second) - np.outer(mean, mean)


def draws_of_the_mixture(count: int) -> np.ndarray:
    chosen = RANDOM.choice(3, count, p=WEIGHTS)
    factors = np.linalg.cholesky(COVARIANCES)[chosen]
    return MEANS[chosen] + np.einsum("nij,nj->ni", factors, RANDOM.standard_normal((count, 2)))


def test_draws_have_the_moments_of_the_mixture() -> None:
    mixture = GaussianMixture(5, 2)  # room for two more than are used
    mixture.take(WEIGHTS, MEANS, COVARIANCES)
    z = mixture.draw(200_000, torch.Generator().manual_seed(0)).double().numpy()
    mean, covariance = mixture_moments()
    np.testing.assert_allclose(z.mean(0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.15)


def test_an_unfitted_mixture_and_the_prior_are_standard_normal() -> None:
    generator = torch.Generator().manual_seed(0)
    for z in (
        GaussianMixture(3, 4).draw(50_000, generator),
        draw_standard_normal(50_000, 4, generator),
    ):
        np.testing.assert_allclose(z.mean(0), np.zeros(4), atol=0.03)
        np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=0.04)


def test_held_out_density_chooses_the_true_number_of_components() -> None:
    mixture = GaussianMixture(12, 2)
    densities = fit_mixture(
        mixture, draws_of_the_mixture(3000), draws_of_the_mixture(3000), [1, 2, 3], 1e-3, 0
    )
    assert max(densities, key=densities.__getitem__) == 3
    assert int((mixture.weights > 0).sum()) == 3
    assert float(mixture.weights.sum()) == pytest.approx(1.0)
    order = mixture.means[:3, 0].argsort()
    np.testing.assert_allclose(mixture.means[order], MEANS, atol=0.2)
    np.testing.assert_allclose(mixture.weights[order], WEIGHTS, atol=0.03)


def test_a_fit_repeats_bit_for_bit_and_leaves_numpys_state_alone() -> None:
    train, held_out = draws_of_the_mixture(500), draws_of_the_mixture(200)
    fits = []
    for _ in range(2):
        mixture = GaussianMixture(4, 2)
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        fit_mixture(mixture, train, held_out, [2, 4], 1e-2, 2**62 + 1)
        assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
        fits.append(mixture.state_dict())
    assert all(torch.equal(fits[0][name], fits[1][name]) for name in fits[0])


def test_more_components_than_draws_are_cut_to_the_draws() -> None:
    mixture = GaussianMixture(50, 2)
    densities = fit_mixture(
        mixture, draws_of_the_mixture(10), draws_of_the_mixture(10), [2, 50], 1e-2, 0
    )
    assert set(densities) == {2, 10}


def test_a_mixture_for_each_class_is_drawn_from_by_label() -> None:
    mixtures = ClassMixtures(3, 2, 2)
    for label, mixture in enumerate(mixtures.of_class):
        mixture.take(np.ones(1), np.full((1, 2), 10.0 * label), 0.01 * np.eye(2)[None])
    labels = torch.tensor([2, 0, 2, 2])
    z = mixtures.draw(labels, torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.round(decimals=-1), 10.0 * labels[:, None].expand(-1, 2).float())


def test_with_nothing_held_out_the_least_number_of_components_is_taken() -> None:
    mixture = GaussianMixture(3, 2)
    fit_mixture(mixture, draws_of_the_mixture(100), np.empty((0, 2)), [2, 3], 1e-2, 0)
    assert int((mixture.weights > 0).sum()) == 2


def second_stage(latents: np.ndarray, codes: torch.Tensor, steps: int) -> SecondStage:
    with seeded(0):
        stage = SecondStage(latents.shape[1], codes.shape[1], width=64)
    z = torch.tensor(latents).float()
    fit_second_stage(stage, z, codes, steps, torch.Generator().manual_seed(2))
    return stage


def test_a_second_stage_learns_latents_that_the_prior_does_not_fit() -> None:
    latents = draws_of_the_mixture(3000)
    stage = second_stage(latents, torch.empty(3000, 0), steps=500)
    z = stage.draw(torch.empty(3000, 0), torch.Generator().manual_seed(0))
    real = torch.tensor(latents).float()
    normal = draw_standard_normal(3000, 2, torch.Generator().manual_seed(0))
    assert energy_distance(z, real).distance < 0.1 * energy_distance(normal, real).distance
    assert not any(p.requires_grad for p in stage.parameters())


def test_a_second_stage_hears_the_codes_and_repeats_bit_for_bit() -> None:
    labels = torch.arange(600) % 2
    latents = RANDOM.standard_normal((600, 2)) * 0.2 + 3.0 * labels.numpy()[:, None]
    codes = torch.nn.functional.one_hot(labels).float()
    first, again = (second_stage(latents, codes, steps=200) for _ in range(2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
    means = [
        first.draw(codes[start::2], torch.Generator().manual_seed(0)).mean().item()
        for start in (0, 1)
    ]
    assert means == pytest.approx([0.0, 3.0], abs=0.3)


def test_a_second_stage_s_loss_is_the_negative_elbo() -> None:
    """With an encoder and a decoder of zeros: ln N(z; 0, γ²) and no KL."""
    stage = SecondStage(3, 0, width=4)
    for parameter in (*stage.encoder.parameters(), *stage.decoder.parameters()):
        torch.nn.init.zeros_(parameter)
    torch.nn.init.constant_(stage.log_scale, 0.4)
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    expected = -torch.distributions.Normal(0.0, math.exp(0.4)).log_prob(z).sum(-1).mean()
    loss = stage.loss(z, torch.empty(50, 0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss, expected)
