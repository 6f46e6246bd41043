"""What can be said of any VAE's likelihood and latents, for images and texts alike.

Every figure is in nats an item, at β = 1, in float64, over all the items given: a posterior
aggregated over a minibatch would cap the mutual information at the logarithm of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genline.core.arrays import Floats
from genline.core.errors import DataError
from genline.core.progress import Progress
from genline.models.base import VariationalModel
from genline.models.networks.gaussian import kl_to_standard_normal

ACTIVE_VARIANCE = 0.01  # Burda et al., 2016, section 5.2


@dataclass(frozen=True)
class Posteriors:
    """q(z|x) of n items: mean and log_variance are float64 (n, latent), on the CPU."""

    mean: Tensor
    log_variance: Tensor

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def kl(self) -> Floats:
        """KL(q(z|x) ‖ N(0, I)) summed over the dimensions, (n,)."""
        kl: Floats = kl_to_standard_normal(self.mean, self.log_variance).sum(dim=1).numpy()
        return kl

    def draw(self, generator: torch.Generator) -> Tensor:
        """One z an item: float64 (n, latent)."""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=torch.float64)
        return self.mean + (0.5 * self.log_variance).exp() * noise


@dataclass(frozen=True)
class Likelihoods:
    """Nats an item, each (n,), from the same draws of z from the posterior.

    reconstruction: −E[log p(x|z)]; nll: the importance-weighted estimate of −log p(x), an upper
    bound that tightens as the draws grow (Burda et al., 2016, equation 8).
    """

    reconstruction: Floats
    nll: Floats


def active_units(means: Floats) -> int:
    """Columns of ``means`` (n, latent), n ≥ 2, whose unbiased variance is above 0.01."""
    return int((means.var(axis=0, ddof=1) > ACTIVE_VARIANCE).sum())


@torch.no_grad()
def encode(model: VariationalModel, batches: Sequence[Tensor]) -> Posteriors:
    """The posteriors of all items of ``batches``, in their order. Batches may differ in width."""
    found = [model.posterior(x) for x in batches]
    return Posteriors(
        torch.cat([mean.double().cpu() for mean, _ in found]),
        torch.cat([log_variance.double().cpu() for _, log_variance in found]),
    )


@torch.no_grad()
def likelihoods(
    model: VariationalModel,
    batches: Sequence[Tensor],
    posteriors: Posteriors,
    draws: int,
    generator: torch.Generator,
    rows: int = 4096,
) -> Likelihoods:
    """Reconstruction and importance-weighted NLL of every item, from ``draws`` of z each.

    The items are encoded once and only decoded ``draws`` times; at most ``rows`` pairs of an
    item and a draw are decoded together, which bounds the memory. ``generator`` is on the CPU.
    """
    reconstruction, nll, start = [], [], 0
    with Progress("likelihood", sum(map(len, batches)), unit="item", brief=True) as bar:
        for x in batches:
            mean = posteriors.mean[start : start + len(x)]
            log_variance = posteriors.log_variance[start : start + len(x)]
            start += len(x)
            together = max(1, rows // len(x))
            parts = [
                _terms(model, x, mean, log_variance, min(together, draws - done), generator)
                for done in range(0, draws, together)
            ]
            likelihood = torch.cat([p[0] for p in parts])
            weights = torch.cat([p[1] for p in parts])
            reconstruction.append(-likelihood.mean(dim=0))
            nll.append(math.log(draws) - weights.logsumexp(dim=0))
            bar.advance(len(x))
    return Likelihoods(torch.cat(reconstruction).numpy(), torch.cat(nll).numpy())


def _terms(
    model: VariationalModel,
    x: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    draws: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """log p(x|z) and log p(x|z)p(z)/q(z|x), each float64 (draws, batch)."""
    noise = torch.randn((draws, *mean.shape), generator=generator, dtype=torch.float64)
    z = mean + (0.5 * log_variance).exp() * noise
    likelihood = _log_likelihood(model, x, z)
    # The normalising constants of p(z) and q(z|x) cancel.
    ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(dim=-1)
    return likelihood, likelihood + ratio


def _log_likelihood(model: VariationalModel, x: Tensor, z: Tensor) -> Tensor:
    return model.log_likelihood(x, z.float().to(x.device)).double().cpu()


@torch.no_grad()
def mutual_information(
    posteriors: Posteriors, generator: torch.Generator, draws: int = 8, block: int = 1024
) -> Floats:
    """log q(z|x) − log q(z) of every item, (n,): its mean is I(x; z) under the encoder.

    q(z) is the mean of the posteriors of *all* n items, so the mean is at most ln n; each item's
    value is the average over ``draws`` of z. Hoffman & Johnson, 2016, equation 4.
    """
    n = len(posteriors)
    precision = (-posteriors.log_variance).exp()
    # Σ_d (z − μ)²/σ² as three products, so that no (n, n, latent) array is made.
    constant = (posteriors.mean.square() * precision + posteriors.log_variance).sum(dim=1)
    total = torch.zeros(n, dtype=torch.float64)
    for _ in range(draws):
        z = posteriors.draw(generator)
        own = ((z - posteriors.mean).square() * precision + posteriors.log_variance).sum(dim=1)
        for start in range(0, n, block):
            part = z[start : start + block]
            squares = part.square() @ precision.T - 2 * part @ (posteriors.mean * precision).T
            mixture = (-0.5 * (squares + constant)).logsumexp(dim=1) - math.log(n)
            total[start : start + block] += -0.5 * own[start : start + block] - mixture
    return (total / draws).numpy()


@torch.no_grad()
def decoder_use(
    model: VariationalModel,
    batches: Sequence[Tensor],
    posteriors: Posteriors,
    generator: torch.Generator,
    shuffles: int = 8,
) -> Floats:
    """How much worse each item is reconstructed from another item's z: nats, (n,).

    Zero for a decoder that does not look at z, whatever the KL. Each of the ``shuffles`` moves
    every z to another item. Raises DataError for fewer than two items.
    """
    n = len(posteriors)
    if n < 2:
        raise DataError(f"decoder use needs two items or more to shuffle z between, found {n}")
    rise = torch.zeros(n, dtype=torch.float64)
    for _ in range(shuffles):
        z = posteriors.draw(generator)
        order = torch.randperm(n, generator=generator)
        other = torch.empty_like(order)
        other[order] = order.roll(1)  # one cycle through all items: none keeps its own
        start = 0
        for x in batches:
            here = slice(start, start + len(x))
            start += len(x)
            both = _log_likelihood(model, x, torch.stack([z[here], z[other[here]]]))
            rise[here] += both[0] - both[1]
    return (rise / shuffles).numpy()
