"""The likelihoods: normalised, as the reference implementations say, and drawn as they score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, logistic, norm

from genline.core.errors import ModelError
from genline.models.image_vae.config import Model
from genline.models.image_vae.likelihoods.base import Likelihood
from genline.models.image_vae.likelihoods.bernoulli import Bernoulli, binarise
from genline.models.image_vae.likelihoods.binomial import Binomial
from genline.models.image_vae.likelihoods.gaussian import Gaussian
from genline.models.image_vae.likelihoods.logistic import DiscretizedLogistic
from genline.models.image_vae.likelihoods.registry import LIKELIHOODS, make_likelihood

MODEL = Model(
    network="mlp",
    width=4,
    blocks=0,
    latent=2,
    likelihood="binomial",
    pixels="draw",
    gmm_components=[1],
)
OF_GREY_LEVELS = ["binomial", "categorical", "discretized_logistic"]


def make(name: str, levels: int, **changes: object) -> Likelihood:
    if name == "bernoulli" and levels > 2:
        changes = {"binarise": "static", **changes}
    model = MODEL.model_copy(update={"likelihood": name, **changes})
    return make_likelihood(model, levels).eval()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def every_level(levels: int) -> torch.Tensor:
    return torch.arange(levels, dtype=torch.uint8).reshape(levels, 1, 1, 1)


def pixels(levels: int, count: int = 6) -> torch.Tensor:
    return torch.randint(0, levels, (count, 1, 4, 4), generator=seeded(2), dtype=torch.uint8)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 256), st.floats(-6, 6), st.integers(0, 2**31))
def test_every_likelihood_sums_to_one_over_the_grey_levels(
    levels: int, scale: float, seed: int
) -> None:
    for name in [*OF_GREY_LEVELS, *(["bernoulli"] if levels == 2 else [])]:
        likelihood = make(name, levels)
        outputs = likelihood.outputs
        parameters = scale * torch.randn(1, outputs, 1, 1, generator=seeded(seed))
        log_prob = likelihood.log_prob(
            parameters.expand(levels, outputs, 1, 1), every_level(levels)
        )
        assert log_prob.double().exp().sum().item() == pytest.approx(1.0, abs=2e-4)
        expected = (log_prob.double().exp() * torch.arange(levels)).sum().item()
        assert likelihood.mean(parameters).item() == pytest.approx(expected, abs=1e-3 * levels)


@pytest.mark.parametrize("name", OF_GREY_LEVELS)
def test_drawn_pixels_have_the_likelihood_s_distribution(name: str) -> None:
    """Each grey level's share of many draws is its probability, within four standard errors."""
    levels, count = 5, 40_000
    chosen = make(name, levels)
    parameters = torch.randn(1, chosen.outputs, 1, 1, generator=seeded())
    p = chosen.log_prob(parameters.expand(levels, -1, 1, 1), every_level(levels)).exp()
    drawn = chosen.draw(parameters.expand(count, -1, 1, 1), seeded(1))
    assert drawn.shape == (count, 1, 1, 1)
    shares = torch.bincount(drawn.flatten().long(), minlength=levels) / count
    assert ((shares - p).abs() < 4 * (p * (1 - p) / count).sqrt() + 1e-6).all()


def test_the_binomial_likelihood_is_scipys() -> None:
    x, logits = pixels(17), torch.randn(6, 1, 4, 4, generator=seeded())
    p = torch.sigmoid(logits.double()).numpy()
    expected = binom.logpmf(x.numpy(), 16, p).sum((1, 2, 3))
    np.testing.assert_allclose(Binomial(17).log_prob(logits, x), expected, rtol=1e-5)


def test_half_precision_of_the_decoder_costs_the_binomial_nothing_more() -> None:
    """Its terms are of hundreds of nats and cancel: in bf16 they would be off by several each."""
    x, logits = pixels(256), (3 * torch.randn(6, 1, 4, 4, generator=seeded())).bfloat16()
    exact = Binomial(256).log_prob(logits.float(), x)
    assert torch.equal(Binomial(256).log_prob(logits, x), exact)
    assert Binomial(256).state_dict() == {}  # the table is no weight


def test_two_levels_make_binomial_and_bernoulli_torchs_bernoulli() -> None:
    x, logits = pixels(2), torch.randn(6, 1, 4, 4, generator=seeded())
    expected = torch.distributions.Bernoulli(logits=logits).log_prob(x.float()).sum((1, 2, 3))
    torch.testing.assert_close(Binomial(2).log_prob(logits, x), expected)
    torch.testing.assert_close(Bernoulli(2, 0).log_prob(logits, x), expected)


@pytest.mark.parametrize("log_scale", [-6.5, -2.0, 1.0])
def test_the_discretized_logistic_is_the_mass_scipys_logistic_has_in_each_bin(
    log_scale: float,
) -> None:
    levels, mean = 256, 0.3
    parameters = torch.tensor([mean, log_scale]).reshape(1, 2, 1, 1).expand(levels, -1, 1, 1)
    ours = DiscretizedLogistic(levels).log_prob(parameters, every_level(levels)).double()
    edges = (np.arange(1, levels) - 0.5) * 2 / (levels - 1) - 1
    law = logistic(np.float32(mean), np.exp(log_scale))
    below = np.concatenate([[0], law.cdf(edges), [1]])
    above = np.concatenate([[1], law.sf(edges), [0]])
    # Either difference is exact on its own side of the mean.
    mass = np.where(np.arange(levels) > 165, above[:-1] - above[1:], below[1:] - below[:-1])
    far = mass < 1e-290
    np.testing.assert_allclose(ours[~far], np.log(mass[~far]), rtol=1e-3, atol=2e-4)


def test_extreme_outputs_leave_the_logistic_and_its_gradient_finite() -> None:
    for value in (1e4, -1e4):
        parameters = torch.full((2, 2, 4, 4), value, requires_grad=True)
        log_prob = DiscretizedLogistic(256).log_prob(parameters, pixels(256, 2))
        log_prob.sum().backward()
        assert torch.isfinite(log_prob).all()
        assert parameters.grad is not None
        assert torch.isfinite(parameters.grad).all()


def test_the_gaussian_is_scipys_density_on_the_range_the_networks_see() -> None:
    likelihood = Gaussian(17).eval()
    likelihood.variance.fill_(0.09)
    x, mean = pixels(17), torch.randn(6, 1, 4, 4, generator=seeded())
    expected = norm.logpdf(x.numpy() / 8 - 1, mean.numpy(), 0.3).sum((1, 2, 3))
    np.testing.assert_allclose(likelihood.log_prob(mean, x), expected, rtol=1e-5)


def test_in_training_a_batch_is_scored_with_the_sigma_that_makes_it_likeliest() -> None:
    """Its gradient is that of ½ D ln MSE, the σ-VAE's loss with σ worked out."""
    likelihood, x = Gaussian(17).train(), pixels(17)
    mean = (0.1 * torch.randn(6, 1, 4, 4, generator=seeded())).requires_grad_()
    best = likelihood.log_prob(mean, x).sum()
    (ours,) = torch.autograd.grad(best, mean)
    mse = (mean - (x / 8 - 1)).square().mean()
    (theirs,) = torch.autograd.grad(-0.5 * mean.numel() * mse.log(), mean)
    torch.testing.assert_close(ours, theirs)
    likelihood.eval()
    for factor in (0.9, 1.1):
        likelihood.variance.copy_(mse.detach() * factor)
        assert likelihood.log_prob(mean, x).sum() < best


def test_fitting_takes_the_mean_squared_error_of_all_images_and_keeps_the_floor() -> None:
    likelihood, x = Gaussian(17), pixels(17)
    mean = torch.randn(6, 1, 4, 4, generator=seeded())
    likelihood.fit([(mean[:4], x[:4]), (mean[4:], x[4:])])
    assert float(likelihood.variance) == pytest.approx(float((mean - (x / 8 - 1)).square().mean()))
    likelihood.fit([(x / 8 - 1, x)])
    # A level is 1/8 wide.
    assert float(likelihood.variance) == pytest.approx((1 / 8) ** 2 / 12)


def test_gaussian_draws_have_its_mean_and_spread() -> None:
    likelihood = Gaussian(256).eval()
    likelihood.variance.fill_(0.01)
    drawn = likelihood.draw(torch.full((20_000, 1, 1, 1), 0.2), seeded()) * 2 / 255 - 1
    assert drawn.mean().item() == pytest.approx(0.2, abs=0.005)
    assert drawn.std().item() == pytest.approx(0.1, abs=0.003)


def test_an_image_is_made_black_and_white_with_its_grey_levels_as_probabilities() -> None:
    noise = torch.randint(0, 17, (1000, 1, 17, 17), generator=seeded(), dtype=torch.uint8)
    white = binarise(noise, 17, 0)
    assert set(white.unique().tolist()) == {0, 1}
    for level in range(17):
        share = white[noise == level].double().mean().item()
        assert share == pytest.approx(level / 16, abs=4 * 0.5 / 17_000**0.5)


def test_binarisation_hangs_on_image_and_seed_and_not_on_batch_or_global_state() -> None:
    x = torch.randint(0, 256, (50, 3, 5, 7), generator=seeded(), dtype=torch.uint8)
    state = torch.random.get_rng_state()
    whole = binarise(x, 256, 5)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(whole[7:9], binarise(x[7:9], 256, 5))
    assert torch.equal(whole.flip(0), binarise(x.flip(0), 256, 5))
    assert not torch.equal(whole, binarise(x, 256, 6))


def test_binarised_values_are_independent_of_their_neighbours_and_of_like_images() -> None:
    x = torch.full((400, 1, 8, 8), 128, dtype=torch.uint8)
    x[:, 0, 0, 0] = torch.arange(400) % 256  # all but equal images
    b = binarise(x, 256, 0)[:, 0].flatten(1)[:, 1:].float()
    centred = b[:256] - b[:256].mean()
    along = (centred[:, 1:] * centred[:, :-1]).mean()
    across = (centred[1:] * centred[:-1]).mean()
    assert abs(along) < 4 * 0.25 / (256 * 62) ** 0.5
    assert abs(across) < 4 * 0.25 / (255 * 63) ** 0.5


def test_bernoulli_scores_the_binarised_image_and_says_so() -> None:
    likelihood, x = make("bernoulli", 17, binarise_seed=3), pixels(17)
    logits = torch.randn(6, 1, 4, 4, generator=seeded())
    b = binarise(x, 17, 3)
    torch.testing.assert_close(likelihood.log_prob(logits, x), Binomial(2).log_prob(logits, b))
    assert likelihood.modelled.name == "binary"
    assert "seed 3" in likelihood.modelled.about
    assert set(likelihood.draw(logits, seeded()).unique().tolist()) == {0.0, 16.0}
    torch.testing.assert_close(likelihood.mean(logits), 16 * torch.sigmoid(logits))


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_draws_and_means_are_grey_levels(name: str) -> None:
    likelihood = make(name, 17)
    parameters = 3 * torch.randn(5, 2 * likelihood.outputs, 3, 4, generator=seeded())
    for values in (likelihood.draw(parameters, seeded()), likelihood.mean(parameters)):
        assert values.shape == (5, 2, 3, 4)
        assert 0 <= float(values.min()) <= float(values.max()) <= 16
    drawn = likelihood.draw(parameters, seeded())
    assert torch.equal(drawn, drawn.round())


def test_what_does_not_fit_the_levels_is_refused_with_what_would() -> None:
    with pytest.raises(ModelError, match=r"256 grey levels; use likelihood 'binomial', or set"):
        make_likelihood(MODEL.model_copy(update={"likelihood": "bernoulli"}), 256)
    with pytest.raises(ModelError, match="black and white as they are; set it to 'none'"):
        make("bernoulli", 2, binarise="static")
    with pytest.raises(ModelError, match="one grey level"):
        make_likelihood(MODEL, 1)
