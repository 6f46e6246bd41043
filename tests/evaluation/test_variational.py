"""The variational figures against models whose likelihood, posterior and information are known."""

import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from genline.core.errors import DataError
from genline.evaluation.variational import (
    Posteriors,
    active_units,
    decoder_use,
    encode,
    likelihoods,
    mutual_information,
)
from genline.evaluation.variational_metrics import measure, variational_metrics
from genline.models.base import Modelled, VariationalModel

ROWS = 64


class LinearGaussian(VariationalModel):
    """p(z) = N(0, 1), p(x|z) = N(w z, s²), so p(x) = N(0, w² + s²); ``widen`` spoils q(z|x)."""

    variants: ClassVar[tuple[str, ...]] = ("prior",)
    latent = 1

    def __init__(self, weight: float, noise: float, widen: float = 1.0) -> None:
        super().__init__()
        self.weight, self.variance, self.widen = weight, noise**2, widen

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        precision = 1 + self.weight**2 / self.variance
        mean = x[:, :1] * self.weight / self.variance / precision
        return mean, torch.full_like(mean, math.log(self.widen**2 / precision))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        square = (x[:, 0] - self.weight * z[..., 0]).square()
        return -0.5 * (square / self.variance + math.log(2 * math.pi * self.variance))

    def evidence(self, x: Tensor) -> np.ndarray:
        total = self.weight**2 + self.variance
        return (-0.5 * (x[:, 0] ** 2 / total + math.log(2 * math.pi * total))).double().numpy()

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        z = torch.randn(count, 1, generator=generator)
        noise = torch.randn(count, 1, generator=generator)
        return self.weight * z + math.sqrt(self.variance) * noise


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batches(model: LinearGaussian, count: int = 300) -> list[Tensor]:
    return list(model.sample(count, noise(9)).split(70))  # the last one is smaller


def test_the_exact_posterior_gives_the_evidence_whatever_the_draws():
    model = LinearGaussian(2.0, 0.5)
    data = batches(model)
    found = likelihoods(model, data, encode(model, data), 3, noise(), ROWS)
    assert found.nll == pytest.approx(-model.evidence(torch.cat(data)), abs=1e-4)


def test_the_elbo_of_the_exact_posterior_is_the_evidence():
    model = LinearGaussian(2.0, 0.5)
    data = batches(model)
    posteriors = encode(model, data)
    found = likelihoods(model, data, posteriors, 1000, noise(), 9999)
    negative_elbo = (found.reconstruction + posteriors.kl).mean()
    assert negative_elbo == pytest.approx(-model.evidence(torch.cat(data)).mean(), abs=0.02)


def test_a_wrong_posterior_is_put_right_by_importance_weights_and_not_by_the_elbo():
    model = LinearGaussian(2.0, 0.5, widen=2.0)
    data = batches(model)
    posteriors = encode(model, data)
    evidence = -model.evidence(torch.cat(data)).mean()
    few, many = (likelihoods(model, data, posteriors, k, noise(), 9999) for k in (5, 1000))
    assert many.nll.mean() == pytest.approx(evidence, abs=0.02)
    # KL(q ‖ exact posterior) with twice the width: 2 − ½ − ln 2 nats more.
    gap = 0.5 * (4 - 1 - math.log(4))
    assert (many.reconstruction + posteriors.kl).mean() == pytest.approx(evidence + gap, abs=0.05)
    assert evidence < few.nll.mean() < evidence + gap


def test_how_many_rows_are_decoded_together_changes_no_more_than_the_noise():
    model = LinearGaussian(1.0, 1.0)
    data = batches(model)
    posteriors = encode(model, data)
    found = [likelihoods(model, data, posteriors, 7, noise(), rows).nll for rows in (1, 100, 9999)]
    for nll in found:
        assert nll == pytest.approx(-model.evidence(torch.cat(data)), abs=1e-4)


def test_kl_is_the_closed_form():
    posteriors = Posteriors(
        torch.tensor([[1.0, 0.0]]).double(), torch.log(torch.tensor([[4.0, 1]]))
    )
    assert posteriors.kl == pytest.approx([0.5 * (1 + 4 - 1 - math.log(4))])


def test_information_of_well_separated_posteriors_is_the_logarithm_of_their_number():
    mean = torch.arange(50.0).double()[:, None] * 100
    posteriors = Posteriors(mean, torch.zeros_like(mean))
    assert mutual_information(posteriors, noise()) == pytest.approx(np.full(50, math.log(50)))


def test_information_of_equal_posteriors_is_zero():
    posteriors = Posteriors(torch.full((40, 3), 0.7).double(), torch.full((40, 3), -1.0).double())
    assert mutual_information(posteriors, noise()) == pytest.approx(np.zeros(40), abs=1e-9)


def test_information_of_a_gaussian_channel_is_its_capacity():
    """z = x + noise with x ~ N(0, 3), noise ~ N(0, 1): I = ½ ln(1 + 3)."""
    mean = torch.randn(4000, 1, generator=noise(), dtype=torch.float64) * math.sqrt(3)
    found = mutual_information(Posteriors(mean, torch.zeros_like(mean)), noise(1), draws=2)
    assert found.mean() == pytest.approx(0.5 * math.log(4), abs=0.02)


def test_blocks_do_not_change_the_information():
    mean = torch.randn(30, 2, generator=noise(), dtype=torch.float64)
    posteriors = Posteriors(mean, torch.zeros_like(mean))
    whole, parts = (mutual_information(posteriors, noise(1), 2, block) for block in (100, 7))
    assert whole == pytest.approx(parts)


def test_a_decoder_that_ignores_z_has_use_zero_exactly():
    model = LinearGaussian(0.0, 1.0)
    data = batches(model)
    posteriors = Posteriors(torch.randn(300, 1, generator=noise()).double(), torch.zeros(300, 1))
    assert (decoder_use(model, data, posteriors, noise()) == 0).all()


def test_decoder_use_is_the_rise_of_the_squared_error():
    """E[(x − w z')² − (x − w z)²] / 2s² for z' from another item, z from its own posterior."""
    model = LinearGaussian(1.0, 0.5)
    data = batches(model, 4000)
    found = decoder_use(model, data, encode(model, data), noise(), shuffles=20)
    # x ~ N(0, 1 + s²), z ~ N(0, 1) given nothing, cov(x, z) = 1: the rise is 2·cov / 2s².
    assert found.mean() == pytest.approx(1 / 0.25, rel=0.1)


def test_decoder_use_gives_every_item_the_z_of_another():
    class Keeper(LinearGaussian):
        def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
            return (x[:, 0] == z[..., 0]).float()

    data = [torch.arange(6.0)[:, None]]
    exact = Posteriors(data[0].double(), torch.full((6, 1), -torch.inf))
    model = Keeper(1.0, 1.0)
    assert (decoder_use(model, data, exact, noise(), shuffles=50) == 1).all()


def test_decoder_use_of_one_item_is_refused_in_one_line():
    model = LinearGaussian(1.0, 1.0)
    data = [torch.zeros(1, 1)]
    with pytest.raises(DataError, match="two items or more"):
        decoder_use(model, data, encode(model, data), noise())


def test_active_units_are_the_means_that_vary():
    means = np.random.default_rng(0).normal(size=(500, 3)) * np.array([1.0, 0.05, 0.5])
    assert active_units(means) == 2


def test_metrics_bound_each_other_and_carry_intervals_around_their_values():
    model = LinearGaussian(2.0, 0.5, widen=1.5)
    figures = measure(model, batches(model), draws=50, rows=ROWS, seed=1)
    metrics = variational_metrics(figures, "image", seed=1)
    assert metrics["nll"].value < metrics["elbo"].value
    assert metrics["elbo"].value == pytest.approx(
        metrics["reconstruction"].value + metrics["kl"].value
    )
    for metric in metrics.values():
        assert metric.low <= metric.value <= metric.high
        assert metric.count == 300
    again = variational_metrics(measure(model, batches(model), 50, ROWS, 1), "image", seed=1)
    assert again == metrics


class Density(LinearGaussian):
    @property
    def modelled(self) -> Modelled:
        return Modelled("density", "A density.", discrete=False)


def test_figures_of_another_likelihood_carry_its_name_and_say_what_they_are_of():
    figures = measure(Density(2.0, 0.5), batches(Density(2.0, 0.5)), 5, ROWS, 1)
    metrics = variational_metrics(figures, "image", seed=1)
    plain = variational_metrics(
        measure(LinearGaussian(2.0, 0.5), batches(LinearGaussian(2.0, 0.5)), 5, ROWS, 1), "image", 1
    )
    assert set(plain) - set(metrics) == {"nll", "elbo", "reconstruction"}
    assert set(figures.nats) == {"nll_density", "elbo_density"}
    for name in ("nll", "elbo", "reconstruction"):
        assert metrics[f"{name}_density"].value == plain[name].value
        assert metrics[f"{name}_density"].about == f"{plain[name].about} A density."
