"""Adversarial losses against their formulas, their optima, and divergences known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import logsigmoid

from genline.models.image_gan.codes import draw_codes, information
from genline.models.image_gan.config import Codes, Discriminator, Train
from genline.models.image_gan.f_divergences import DIVERGENCES, lower_bound
from genline.models.image_gan.objectives import OBJECTIVES, Objective

REAL, FAKE = torch.tensor([0.5, -2.0, 3.0]), torch.tensor([-1.5, 0.25, 2.0])
# Two distributions over four values, as shares of a hundred draws.
P, Q = torch.tensor([50, 30, 15, 5]), torch.tensor([10, 20, 30, 40])


def objective(name: str, **changes: object) -> Objective:
    section = Train(
        steps=1,
        batch=2,
        discriminator=Discriminator(network="mlp", width=1, layers=1),
        objective=name,
        r1_gamma=0.0,
        r1_every=1,
        learning_rate=0.1,
        decay=0.0,
        beta1=0.0,
        beta2=0.0,
        ema=0.0,
        validate_every=1,
    )
    return OBJECTIVES[name](section.model_copy(update=changes))


def losses(name: str, **changes: object) -> tuple[float, float]:
    game = objective(name, **changes)
    return game.discriminator(REAL, FAKE).item(), game.generator(REAL, FAKE).item()


def test_the_logistic_games_are_their_formulas() -> None:
    discriminator = -(logsigmoid(REAL).mean() + torch.log1p(-torch.sigmoid(FAKE)).mean())
    saturating, wanted = torch.log1p(-torch.sigmoid(FAKE)).mean(), -logsigmoid(FAKE).mean()
    assert losses("minimax") == pytest.approx((discriminator.item(), saturating.item()))
    assert losses("non_saturating") == pytest.approx((discriminator.item(), wanted.item()))
    assert losses("infogan") == losses("non_saturating")


def test_the_games_on_the_outputs_themselves_are_their_formulas() -> None:
    fake, real = FAKE.mean().item(), REAL.mean().item()
    assert losses("hinge") == pytest.approx(((0.5 + 3 + 0) / 3 + (0 + 1.25 + 3) / 3, -fake))
    squares = ((0.25 + 9 + 4) / 3 + (2.25 + 0.0625 + 4) / 3) / 2
    assert losses("least_squares") == pytest.approx((squares, (6.25 + 0.5625 + 1) / 6))
    assert losses("wasserstein") == pytest.approx((fake - real, -fake))
    # Energies are the outputs without their sign; a margin of 1 asks for more of the first two.
    assert losses("energy", margin=1.0) == pytest.approx((-real + (0 + 1.25 + 3) / 3, -fake))


def test_the_relativistic_game_compares_each_image_with_a_real_one() -> None:
    discriminator, generator = losses("relativistic")
    pairs = list(zip(REAL.tolist(), FAKE.tolist(), strict=True))
    assert discriminator == pytest.approx(sum(math.log1p(math.exp(f - r)) for r, f in pairs) / 3)
    assert generator == pytest.approx(sum(math.log1p(math.exp(r - f)) for r, f in pairs) / 3)
    both = objective("relativistic")
    shifted = both.discriminator(REAL + 7, FAKE + 7).item()
    assert shifted == pytest.approx(discriminator, rel=1e-5)


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_discriminating_lowers_its_loss_and_deceiving_the_generators(name: str) -> None:
    game = objective(name)
    told = game.discriminator(torch.tensor([0.6]), torch.tensor([0.2]))
    mistaken = game.discriminator(torch.tensor([0.2]), torch.tensor([0.6]))
    assert told < mistaken
    assert game.generator(REAL, FAKE + 0.1) < game.generator(REAL, FAKE)


def best_outputs(game: Objective) -> torch.Tensor:
    """What a discriminator of four free outputs comes to on P and Q."""
    outputs = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.LBFGS([outputs], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = game.discriminator(outputs.repeat_interleave(P), outputs.repeat_interleave(Q))
        value.backward()
        return value

    optimizer.step(loss)
    return outputs.detach()


def test_the_optimal_discriminators_are_those_of_the_papers() -> None:
    ratio = P / Q
    # Goodfellow et al. 2014, proposition 1: D = p / (p + q).
    logits = best_outputs(objective("non_saturating"))
    torch.testing.assert_close(torch.sigmoid(logits), P / (P + Q), atol=1e-3, rtol=0)
    # Mao et al. 2017, equation 5 with a = 0 and b = 1.
    outputs = best_outputs(objective("least_squares"))
    torch.testing.assert_close(outputs, P / (P + Q), atol=1e-3, rtol=0)
    # Huang et al. 2024 pair every real image with every other in expectation; here in order.
    assert (ratio.diff() < 0).all() and (logits.diff() < 0).all()


def test_at_the_optimum_the_logistic_loss_tells_the_jensen_shannon_divergence() -> None:
    """Goodfellow et al. 2014, theorem 1: −2 ln 2 + 2 JSD(P‖Q) is minus the loss."""
    p, q = P / 100, Q / 100
    m = (p + q) / 2
    divergence = 0.5 * ((p * (p / m).log()).sum() + (q * (q / m).log()).sum())
    game = objective("non_saturating")
    outputs = (p / q).log()
    loss = game.discriminator(outputs.repeat_interleave(P), outputs.repeat_interleave(Q))
    assert -loss.item() == pytest.approx(-2 * math.log(2) + 2 * divergence.item(), rel=1e-5)


GENERATORS_OF_F = {
    "kl": lambda u: u * u.log(),
    "reverse_kl": lambda u: -u.log(),
    "jensen_shannon": lambda u: u * u.log() - (u + 1) * ((u + 1) / 2).log(),
    "pearson": lambda u: (u - 1).square(),
}


@pytest.mark.parametrize("name", sorted(DIVERGENCES))
def test_the_bound_of_an_f_divergence_is_tight_at_its_optimum_and_below_elsewhere(
    name: str,
) -> None:
    p, q = P / 100, Q / 100
    exact = (q * GENERATORS_OF_F[name](p / q)).sum().item()
    divergence = DIVERGENCES[name]

    def bound(outputs: torch.Tensor) -> float:
        return lower_bound(
            divergence, outputs.repeat_interleave(P), outputs.repeat_interleave(Q)
        ).item()

    best = best_outputs(objective("f_divergence", divergence=name))
    assert bound(best) == pytest.approx(exact, abs=2e-4)
    # T = f′(p / q) there: Nowozin et al. 2016, equation 5.
    ratio = (p / q).requires_grad_()
    (slope,) = torch.autograd.grad(GENERATORS_OF_F[name](ratio).sum(), ratio)
    torch.testing.assert_close(divergence.statistic(best), slope, atol=0.02, rtol=0.02)
    assert all(bound(best + change) < exact for change in torch.eye(4))
    assert bound(torch.full((4,), divergence.threshold)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", sorted(DIVERGENCES))
def test_the_threshold_is_where_the_statistic_is_the_slope_at_one(name: str) -> None:
    one = torch.ones(1, requires_grad=True)
    (slope,) = torch.autograd.grad(GENERATORS_OF_F[name](one).sum(), one)
    divergence = DIVERGENCES[name]
    at = divergence.statistic(torch.tensor([divergence.threshold]))
    torch.testing.assert_close(at, slope)


def test_accuracy_counts_images_by_the_threshold_or_pairs_by_their_order() -> None:
    assert objective("hinge").accuracy(REAL, FAKE).item() == pytest.approx(3 / 6)
    # Real ones above 0.5: 3.0 alone; generated ones below: −1.5 and 0.25.
    assert objective("least_squares").accuracy(REAL, FAKE).item() == pytest.approx(3 / 6)
    assert objective("wasserstein").accuracy(REAL, FAKE).item() == pytest.approx(2 / 3)


CODES = Codes(categorical=[4, 3], continuous=2)


def test_codes_are_one_hot_and_even() -> None:
    drawn = draw_codes(CODES, 6000, torch.Generator().manual_seed(0))
    assert drawn.shape == (6000, CODES.size) == (6000, 9)
    for part, size in ((drawn[:, :4], 4), (drawn[:, 4:7], 3)):
        assert torch.equal(part.sum(1), torch.ones(6000))
        torch.testing.assert_close(part.mean(0), torch.full((size,), 1 / size), atol=0.03, rtol=0)
    even = drawn[:, 7:]
    assert even.min() >= -1 and even.max() < 1
    torch.testing.assert_close(even.var(0), torch.full((2,), 1 / 3), atol=0.02, rtol=0)


def test_an_image_that_tells_nothing_carries_minus_the_entropy_of_its_codes() -> None:
    """E ln Q at the best guess without looking: −ln 4 − ln 3, and −½ ln(2π e σ²) a Gaussian."""
    drawn = draw_codes(CODES, 20_000, torch.Generator().manual_seed(1))
    blind = torch.zeros(20_000, 11)
    blind[:, 9:] = math.log(1 / 3)
    expected = -math.log(12) - math.log(2 * math.pi * math.e / 3)
    assert information(blind, drawn, CODES).item() == pytest.approx(expected, abs=0.02)


def test_codes_that_are_read_carry_their_whole_information() -> None:
    categorical = Codes(categorical=[4])
    drawn = draw_codes(categorical, 50, torch.Generator().manual_seed(1))
    assert information(100 * drawn, drawn, categorical).item() == pytest.approx(0.0, abs=1e-6)
    assert information(-100 * drawn, drawn, categorical).item() < -50
