"""The diagonal Gaussian posterior of a VAE."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_posterior(
    mean: Tensor, log_variance: Tensor, generator: torch.Generator, draws: int | None = None
) -> Tensor:
    """z = μ + σ ε with ε ~ N(0, I): the reparameterisation of Kingma & Welling 2014, section 2.4.

    mean and log_variance: (batch, latent). Gives (batch, latent), or (draws, batch, latent).
    """
    shape = mean.shape if draws is None else (draws, *mean.shape)
    noise = torch.randn(shape, generator=generator, device=generator.device)
    return mean + torch.exp(0.5 * log_variance) * noise.to(mean.device)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) in nats of each dimension, the shape of ``mean``.

    Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def log_prior_ratio(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """ln p(z) − ln q(z|x) in nats, for p = N(0, I) and q = N(mean, exp(log_variance)).

    Added to ln p(x|z) it gives the importance weights of Burda et al. 2016, equation 8.
    z: (..., batch, latent), mean and log_variance: (batch, latent). Gives (..., batch).
    """
    spread = (z - mean).square() * (-log_variance).exp()
    # The normalising constants of the two densities cancel.
    return 0.5 * (spread + log_variance - z.square()).sum(-1)
