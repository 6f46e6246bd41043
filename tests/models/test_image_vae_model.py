"""The image VAE: shapes for any size, normalised likelihoods, bounds in the right order."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from genline.core.errors import ModelError, ParamsError
from genline.core.params import parse_section
from genline.data.prepared import ImageSpec, TextSpec
from genline.models.image_vae import build
from genline.models.image_vae.config import Model
from genline.models.image_vae.likelihoods import LIKELIHOODS, binomial_log_prob
from genline.models.initialisation import seeded
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal
from genline.models.store import load_model, save_model

MODEL = Model(
    network="conv",
    width=4,
    blocks=1,
    latent=3,
    likelihood="binomial",
    pixels="draw",
    gmm_components=[2, 4],
)
SPEC = ImageSpec(channels=1, height=8, width=8, levels=17, classes=10)
SPECS = [
    SPEC,
    ImageSpec(channels=3, height=8, width=8, levels=256, classes=0),
    ImageSpec(channels=1, height=28, width=28, levels=256, classes=10),
    ImageSpec(channels=2, height=13, width=9, levels=2, classes=0),
    ImageSpec(channels=3, height=32, width=48, levels=256, classes=0),
]


def make(spec: ImageSpec = SPEC, **changes: object) -> torch.nn.Module:
    with seeded(1):
        return build(MODEL.model_copy(update=changes), spec)


def images(count: int, spec: ImageSpec = SPEC) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (count, *spec.shape)
    return torch.randint(0, spec.levels, shape, generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: "x".join(map(str, s.shape)))
@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
def test_shapes_hold_for_every_size_and_likelihood(spec: ImageSpec, likelihood: str) -> None:
    vae, x = make(spec, likelihood=likelihood), images(5, spec)
    mean, log_variance = vae.posterior(x)
    assert mean.shape == log_variance.shape == (5, 3)
    z = draw_posterior(mean, log_variance, torch.Generator().manual_seed(0), draws=2)
    assert z.shape == (2, 5, 3)
    assert vae.log_likelihood(x, z[0]).shape == (5,)
    samples = vae.sample(4, torch.Generator().manual_seed(0))
    assert samples.shape == (4, *spec.shape)
    assert samples.dtype == torch.uint8
    assert int(samples.max()) < spec.levels


@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
def test_draws_are_scored_as_if_one_by_one(likelihood: str) -> None:
    vae, x = make(likelihood=likelihood), images(5)
    z = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    together = vae.log_likelihood(x, z)
    alone = torch.stack([vae.log_likelihood(x, one) for one in z])
    assert together.shape == (3, 5)
    torch.testing.assert_close(together, alone)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 256), st.floats(-6, 6), st.integers(0, 2**31))
def test_every_likelihood_sums_to_one_over_the_grey_levels(
    levels: int, scale: float, seed: int
) -> None:
    every_level = torch.arange(levels, dtype=torch.uint8).reshape(levels, 1, 1, 1)
    generator = torch.Generator().manual_seed(seed)
    for likelihood in LIKELIHOODS.values():
        outputs = likelihood.outputs(levels)
        parameters = scale * torch.randn(1, outputs, 1, 1, generator=generator)
        log_prob = likelihood.log_prob(
            parameters.expand(levels, outputs, 1, 1), every_level, levels
        )
        assert log_prob.double().exp().sum().item() == pytest.approx(1.0, abs=2e-4)
        expected = (log_prob.double().exp() * torch.arange(levels)).sum().item()
        mean = likelihood.mean(parameters, levels).item()
        assert mean == pytest.approx(expected, abs=1e-3 * levels)


def test_the_binomial_likelihood_is_scipys() -> None:
    x, logits = images(6), torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    ours = binomial_log_prob(logits, x, 17)
    p = torch.sigmoid(logits.double()).numpy()
    np.testing.assert_allclose(ours, binom.logpmf(x.numpy(), 16, p).sum((1, 2, 3)), rtol=1e-5)


def test_two_levels_make_the_binomial_a_bernoulli() -> None:
    x = images(4) % 2
    logits = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    bernoulli = torch.distributions.Bernoulli(logits=logits).log_prob(x.float()).sum((1, 2, 3))
    torch.testing.assert_close(binomial_log_prob(logits, x, 2), bernoulli)


def test_kl_is_torchs_and_zero_at_the_prior() -> None:
    mean, log_variance = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0))
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)
    assert kl_to_standard_normal(torch.zeros(1, 3), torch.zeros(1, 3)).abs().max() == 0


@torch.no_grad()
def test_the_bounds_stand_in_order_below_the_exact_likelihood() -> None:
    """ELBO ≤ E[IW-10] ≤ E[IW-100] ≤ log p(x), the last by a fine grid over one latent dimension."""
    vae, x = make(latent=1), images(3)
    # A gentle decoder, and a posterior off the mark, so that the bounds stand a little apart.
    vae.decoder.stem.weight *= 0.03
    vae.encoder.head.weight *= 0.1
    vae.encoder.head.bias += torch.tensor([0.7, -0.5])
    mean, log_variance = vae.posterior(x)
    prior = torch.distributions.Normal(0.0, 1.0)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    z = draw_posterior(mean, log_variance, torch.Generator().manual_seed(0), draws=20_000)
    log_p = vae.log_likelihood(x, z).double()
    log_w = log_p + (prior.log_prob(z) - posterior.log_prob(z)).sum(-1).double()
    elbo = log_p.mean(0) - kl_to_standard_normal(mean, log_variance).sum(-1).double()

    def importance(draws: int) -> torch.Tensor:
        groups = log_w.reshape(-1, draws, 3)
        return (groups.logsumexp(1) - math.log(draws)).mean(0)

    grid = torch.linspace(-8, 8, 4001)
    at_grid = vae.log_likelihood(x, grid[:, None, None].expand(-1, 3, 1)).double()
    step = float(grid[1] - grid[0])
    exact = (at_grid + prior.log_prob(grid)[:, None].double()).logsumexp(0) + math.log(step)
    assert (elbo < importance(10)).all()
    assert (importance(10) < importance(100)).all()
    assert (importance(100) < exact + 0.02).all()
    torch.testing.assert_close(importance(20_000), exact, atol=0.05, rtol=0)


def test_samples_depend_on_the_generator_and_on_nothing_else() -> None:
    for pixels, variant in product(("draw", "mean"), (None, "gmm", "prior")):
        vae = make(pixels=pixels)
        torch.manual_seed(5)
        first = vae.sample(6, torch.Generator().manual_seed(9), variant)
        torch.manual_seed(6)
        state = torch.random.get_rng_state()
        again = vae.sample(6, torch.Generator().manual_seed(9), variant)
        assert torch.equal(state, torch.random.get_rng_state())
        assert torch.equal(first, again)


def test_samples_are_the_rounded_mean_where_asked() -> None:
    vae = make(pixels="mean")
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(9))
    assert torch.equal(vae.sample(6, torch.Generator().manual_seed(9), "prior"), vae.decode(z))


@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
def test_drawn_pixels_have_the_likelihood_s_distribution(likelihood: str) -> None:
    """Each grey level's share of many draws is its probability, within four standard errors."""
    levels, count = 5, 40_000
    chosen = LIKELIHOODS[likelihood]
    shape = (1, chosen.outputs(levels), 1, 1)
    parameters = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    every_level = torch.arange(levels, dtype=torch.uint8).reshape(levels, 1, 1, 1)
    p = chosen.log_prob(parameters.expand(levels, -1, 1, 1), every_level, levels).exp()
    many = parameters.expand(count, -1, 1, 1)
    drawn = chosen.draw(many, levels, torch.Generator().manual_seed(1))
    assert drawn.shape == (count, 1, 1, 1)
    shares = torch.bincount(drawn.flatten().long(), minlength=levels) / count
    assert ((shares - p).abs() < 4 * (p * (1 - p) / count).sqrt() + 1e-6).all()


def test_an_unknown_sampler_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="no sampler 'gnm'; did you mean 'gmm'"):
        make().sample(1, torch.Generator(), "gnm")


def test_a_stored_model_gives_the_same_samples(tmp_path: Path) -> None:
    vae = make()
    vae.gmm.take(np.array([0.3, 0.7]), np.ones((2, 3)), np.stack([np.eye(3), 2 * np.eye(3)]))
    save_model(tmp_path, "image_vae", MODEL, SPEC, vae.state_dict())
    loaded = load_model(tmp_path).model
    for variant in ("gmm", "prior"):
        mine = vae.sample(8, torch.Generator().manual_seed(1), variant)
        assert torch.equal(mine, loaded.sample(8, torch.Generator().manual_seed(1), variant))


def test_images_too_small_or_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(ModelError, match="at least 8×8; these are 7×9"):
        build(MODEL, ImageSpec(channels=1, height=7, width=9, levels=2, classes=0))
    with pytest.raises(ModelError, match="holds texts"):
        build(MODEL, TextSpec(vocabulary=10, max_tokens=5))


def test_parameters_out_of_range_are_named() -> None:
    values = MODEL.model_dump()
    with pytest.raises(ParamsError, match=r"model\.likelihood is 'gaussian'"):
        parse_section(Model, values | {"likelihood": "gaussian"}, "model")
    with pytest.raises(ParamsError, match=r"model\.gmm_components"):
        parse_section(Model, values | {"gmm_components": [0]}, "model")
