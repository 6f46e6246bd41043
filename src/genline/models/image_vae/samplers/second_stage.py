"""A second VAE, of the latents of the first: Dai & Wipf 2019, section 4."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from genline.models.image_vae.samplers.prior import draw_standard_normal
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal
from genline.models.networks.mlp import mlp

_BATCH = 256
_LEARNING_RATE = 1e-3  # Adam's highest; it falls to 0 in a straight line


class SecondStage(nn.Module):
    """p(u) = N(0, I), p(z|u) = N(decoder(u), γ² I) with γ learned, over draws z of q(z|x).

    The first stage's latents fill their space but not as N(0, I) does; a VAE whose latents are as
    many can learn such a distribution, and its own aggregate posterior is nearer to N(0, I).
    ``codes`` is the width of the one-hot labels that both halves are given, 0 for none.
    """

    def __init__(self, latent: int, codes: int, width: int) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = mlp([latent + codes, width, width, 2 * latent])
        self.decoder = mlp([latent + codes, width, width, latent])
        self.log_scale = nn.Parameter(torch.zeros(()))  # ln γ

    def loss(self, z: Tensor, codes: Tensor, generator: torch.Generator) -> Tensor:
        """−ELBO in nats, the mean over z (batch, latent) with codes (batch, codes)."""
        mean, log_variance = self.encoder(torch.cat([z, codes], -1)).chunk(2, -1)
        u = draw_posterior(mean, log_variance, generator)
        errors = (z - self.decoder(torch.cat([u, codes], -1))) * torch.exp(-self.log_scale)
        constant = self.log_scale + 0.5 * math.log(2.0 * math.pi)
        reconstruction = (0.5 * errors.square() + constant).sum(-1)
        bound: Tensor = reconstruction + kl_to_standard_normal(mean, log_variance).sum(-1)
        return bound.mean()

    def draw(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """z for each row of codes (count, codes): float32 (count, latent), on the codes' device."""
        u = draw_standard_normal(len(codes), self.latent, generator).to(codes.device)
        noise = draw_standard_normal(len(codes), self.latent, generator).to(codes.device)
        mean: Tensor = self.decoder(torch.cat([u, codes], -1))
        return mean + torch.exp(self.log_scale) * noise


@torch.enable_grad()
def fit_second_stage(
    stage: SecondStage,
    latents: Tensor,
    codes: Tensor,
    steps: int,
    generator: torch.Generator,
) -> float:
    """Train ``stage`` on latents (n, latent) with codes (n, codes), on their device.

    Returns the last loss in nats. ``generator`` draws the batches, with replacement, and the noise.
    """
    stage.requires_grad_(True)
    optimizer = torch.optim.Adam(stage.parameters(), _LEARNING_RATE, fused=True)
    loss = torch.zeros(())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * (1.0 - step / steps)
        chosen = torch.randint(len(latents), (_BATCH,), generator=generator, device=latents.device)
        loss = stage.loss(latents[chosen], codes[chosen], generator)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    stage.requires_grad_(False)
    return float(loss.detach())
