"""The image VAE: bounds in the right order, samples from the seed alone, labels that are heard."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from genline.core.errors import ModelError
from genline.data.prepared import ImageSpec, TextSpec
from genline.models.base import ClassConditional, ImageDecoder, LabelReader
from genline.models.image_vae import build
from genline.models.image_vae.config import Model
from genline.models.image_vae.likelihoods.registry import LIKELIHOODS
from genline.models.image_vae.model import ImageVAE
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
    units=8,
    second_stage_width=8,
)
SPEC = ImageSpec(channels=1, height=8, width=8, levels=17, classes=10)
SPECS = [
    SPEC,
    ImageSpec(channels=3, height=8, width=8, levels=256, classes=0),
    ImageSpec(channels=1, height=28, width=28, levels=256, classes=10),
    ImageSpec(channels=2, height=13, width=9, levels=2, classes=0),
    ImageSpec(channels=3, height=12, width=48, levels=256, classes=0),
]


def make(spec: ImageSpec = SPEC, **changes: object) -> ImageVAE:
    with seeded(1):
        return build(MODEL.model_copy(update=changes), spec).eval()


def images(count: int, spec: ImageSpec = SPEC) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    shape = (count, *spec.shape)
    return torch.randint(0, spec.levels, shape, generator=generator, dtype=torch.uint8)


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: "x".join(map(str, s.shape)))
@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
def test_shapes_hold_for_every_size_and_likelihood(spec: ImageSpec, likelihood: str) -> None:
    binarise = "static" if likelihood == "bernoulli" and spec.levels > 2 else "none"
    vae, x = make(spec, likelihood=likelihood, binarise=binarise), images(5, spec)
    mean, log_variance = vae.posterior(x)
    assert mean.shape == log_variance.shape == (5, 3)
    z = draw_posterior(mean, log_variance, noise(), draws=2)
    assert z.shape == (2, 5, 3)
    assert vae.log_likelihood(x, z[0]).shape == (5,)
    samples = vae.sample(4, noise())
    assert samples.shape == (4, *spec.shape)
    assert samples.dtype == torch.uint8
    assert int(samples.max()) < spec.levels


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("likelihood", sorted(set(LIKELIHOODS) - {"bernoulli"}))
def test_draws_are_scored_as_if_one_by_one(likelihood: str, conditional: bool) -> None:
    vae = make(likelihood=likelihood, conditional=conditional)
    x = vae.labelled(images(5), torch.arange(5))
    z = torch.randn(3, 5, 3, generator=noise())
    together = vae.log_likelihood(x, z)
    alone = torch.stack([vae.log_likelihood(x, one) for one in z])
    assert together.shape == (3, 5)
    torch.testing.assert_close(together, alone)


def test_kl_is_torchs_and_zero_at_the_prior() -> None:
    mean, log_variance = torch.randn(2, 7, 3, generator=noise())
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
    z = draw_posterior(mean, log_variance, noise(), draws=10_000)
    log_p = vae.log_likelihood(x, z).double()
    log_w = log_p + (prior.log_prob(z) - posterior.log_prob(z)).sum(-1).double()
    elbo = log_p.mean(0) - kl_to_standard_normal(mean, log_variance).sum(-1).double()

    def importance(draws: int) -> torch.Tensor:
        groups = log_w.reshape(-1, draws, 3)
        return (groups.logsumexp(1) - math.log(draws)).mean(0)

    grid = torch.linspace(-8, 8, 1001)
    at_grid = vae.log_likelihood(x, grid[:, None, None].expand(-1, 3, 1)).double()
    step = float(grid[1] - grid[0])
    exact = (at_grid + prior.log_prob(grid)[:, None].double()).logsumexp(0) + math.log(step)
    assert (elbo < importance(10)).all()
    assert (importance(10) < importance(100)).all()
    assert (importance(100) < exact + 0.05).all()
    torch.testing.assert_close(importance(10_000), exact, atol=0.05, rtol=0)


def test_samples_depend_on_the_generator_and_on_nothing_else() -> None:
    samplers = ["gmm", "prior", "two_stage"]
    for pixels, variant, conditional in product(("draw", "mean"), samplers, (False, True)):
        vae = make(pixels=pixels, samplers=samplers, conditional=conditional)
        torch.manual_seed(5)
        first = vae.sample(6, noise(9), variant)
        torch.manual_seed(6)
        state = torch.random.get_rng_state()
        again = vae.sample(6, noise(9), variant)
        assert torch.equal(state, torch.random.get_rng_state())
        assert torch.equal(first, again)


def test_samples_are_the_rounded_mean_where_asked() -> None:
    vae = make(pixels="mean")
    z = torch.randn(6, 3, generator=noise(9))
    assert torch.equal(vae.sample(6, noise(9), "prior"), vae.decode(z))


def test_the_samplers_are_those_of_the_parameters_the_first_by_default() -> None:
    vae = make(samplers=["two_stage", "prior"])
    assert vae.variants == ("two_stage", "prior")
    assert torch.equal(vae.sample(4, noise()), vae.sample(4, noise(), "two_stage"))
    assert not any(name.startswith("gmm") for name in vae.state_dict())
    with pytest.raises(ModelError, match="no sampler 'gmm'; known: prior, two_stage"):
        vae.sample(1, noise(), "gmm")
    with pytest.raises(ModelError, match="no sampler 'gnm'; did you mean 'gmm'"):
        make().sample(1, noise(), "gnm")


def test_a_label_changes_posterior_likelihood_and_samples() -> None:
    vae, some = make(conditional=True), images(4)
    ones, twos = (torch.full((4,), label) for label in (1, 2))
    first, second = (vae.labelled(some, labels) for labels in (ones, twos))
    z = torch.randn(4, 3, generator=noise())
    assert not torch.equal(vae.posterior(first)[0], vae.posterior(second)[0])
    assert not torch.equal(vae.log_likelihood(first, z), vae.log_likelihood(second, z))
    torch.nn.init.normal_(vae.decoder.stem.weight, generator=noise())
    assert not torch.equal(vae.decode(z, ones), vae.decode(z, twos))
    given = vae.sample(4, noise(), "prior", labels=ones)
    assert torch.equal(given, vae.sample(4, noise(), "prior", labels=ones))
    assert not torch.equal(given, vae.sample(4, noise(), "prior", labels=twos))


def test_a_conditional_likelihood_counts_the_label_by_its_frequency() -> None:
    vae, some = make(conditional=True), images(1)
    assert vae.labels is not None
    vae.labels.counts.copy_(torch.tensor([30.0, *[0.0] * 8, 10.0]))
    z, labels = torch.zeros(1, 3), torch.tensor([9])
    x = vae.labelled(some, labels)
    with torch.no_grad():
        of_image = vae.likelihood.log_prob(*vae.parameters_of(x, z))
        of_both = vae.log_likelihood(x, z)
    assert float(of_both - of_image) == pytest.approx(math.log(10.5 / 45), abs=1e-4)
    assert "ln p(x, y)" in vae.modelled.about


def test_labels_are_drawn_with_the_frequencies_of_training() -> None:
    vae = make(conditional=True)
    assert vae.labels is not None
    vae.labels.counts.copy_(torch.tensor([30.0, *[0.0] * 8, 10.0]))
    shares = torch.bincount(vae.labels.draw(40_000, noise()), minlength=10) / 40_000
    torch.testing.assert_close(shares, torch.tensor([0.75, *[0.0] * 8, 0.25]), atol=0.01, rtol=0)


def test_labels_that_do_not_fit_are_refused() -> None:
    plain, vae = make(), make(conditional=True)
    assert isinstance(vae, ClassConditional)
    assert isinstance(vae, LabelReader)
    assert isinstance(vae, ImageDecoder)
    assert (plain.classes, vae.classes) == (0, 10)
    with pytest.raises(ModelError, match="no label 10; use 0 to 9"):
        vae.sample(1, noise(), labels=torch.tensor([10]))
    with pytest.raises(ModelError, match="2 samples want 2 labels"):
        vae.sample(2, noise(), labels=torch.tensor([1]))
    with pytest.raises(ModelError, match="trained without labels"):
        plain.sample(1, noise(), labels=torch.tensor([1]))
    with pytest.raises(ModelError, match="want their labels"):
        vae.labelled(images(1), None)
    with pytest.raises(ModelError, match="wants the labels"):
        vae.decode(torch.zeros(1, 3))
    unlabelled = ImageSpec(channels=1, height=8, width=8, levels=17, classes=0)
    with pytest.raises(ModelError, match="these have none; set it to false"):
        make(unlabelled, conditional=True)


def test_a_normed_mean_keeps_the_kl_above_its_floor() -> None:
    """Over a batch a dimension's KL averages γ²/2 or more (Zhu et al. 2020), whatever the encoder
    gives."""
    vae = make(mean_norm=0.8).train()
    with torch.no_grad():
        vae.encoder.head.weight.mul_(0.1)  # means that hardly vary
    mean, log_variance = vae.posterior(images(64))
    kl = kl_to_standard_normal(mean, log_variance).mean(0)
    assert (kl >= 0.99 * 0.8**2 / 2).all()
    x = images(64)
    assert vae.eval().mean_norm is not None
    vae.mean_norm.take_statistics(vae.raw_posterior(x)[0])
    evaluated, _ = vae.posterior(x)
    torch.testing.assert_close(evaluated.std(0), torch.full((3,), 0.8), rtol=0.02, atol=0)
    torch.testing.assert_close(vae.posterior(x[:1])[0], evaluated[:1])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"conditional": True, "samplers": ["two_stage", "gmm", "prior"]},
        {"likelihood": "gaussian", "mean_norm": 0.5, "network": "recurrent", "attention": True},
    ],
    ids=["default", "conditional", "gaussian"],
)
def test_a_stored_model_gives_the_same_samples(tmp_path: Path, changes: dict[str, object]) -> None:
    vae, section = make(**changes), MODEL.model_copy(update=changes)
    if not changes:
        vae.gmm.take(np.array([0.3, 0.7]), np.ones((2, 3)), np.stack([np.eye(3), 2 * np.eye(3)]))
    save_model(tmp_path, "image_vae", section, SPEC, vae.state_dict())
    loaded = load_model(tmp_path).model
    for variant in vae.variants:
        assert torch.equal(vae.sample(8, noise(1), variant), loaded.sample(8, noise(1), variant))


def test_data_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="holds texts"):
        build(MODEL, TextSpec(vocabulary=10, max_tokens=5))
    vae = make()
    with pytest.raises(ModelError, match="float32, and likelihoods are of whole grey levels"):
        vae.log_likelihood(images(2).float(), torch.zeros(2, 3))
    with pytest.raises(ModelError, match="give uint8 0 to 16"):
        vae.posterior(images(2).float())
