"""The latent samplers: moments, the choice of the number of components, room for fewer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genline.models.image_vae.samplers import GaussianMixture, draw_standard_normal, fit_mixture

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
