"""A batch norm of posterior means with a scale that is not learnt: a floor under the KL."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PosteriorNorm(nn.Module):
    """μ ↦ γ (μ − mean) / deviation + shift, γ fixed (Zhu et al. 2020, section 3.2, equation 8).

    Over the batch the squares of a dimension's means then average γ² or more, so that the KL of a
    text averages latent · γ² / 2 or more, whatever the decoder makes of z: the posterior cannot
    fall onto the prior. Outside of training the statistics are those of the training texts, and a
    text's posterior does not depend on its batch.
    """

    def __init__(self, latent: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        # Nothing to speak of is added to the variance: it would lower the floor of small means.
        self.norm = nn.BatchNorm1d(latent, eps=1e-10, affine=False)
        self.shift = nn.Parameter(torch.zeros(latent))

    def forward(self, mean: Tensor) -> Tensor:
        """The same shape as ``mean``, float32 (batch, latent)."""
        normed: Tensor = self.norm(mean)
        return self.scale * normed + self.shift

    @torch.no_grad()
    def take_statistics(self, means: Tensor) -> None:
        """Use those of ``means`` (n, latent), n ≥ 2: all that the present weights make of n texts.

        A running average lags behind the weights, and behind averaged weights is of others.
        """
        assert self.norm.running_mean is not None and self.norm.running_var is not None
        self.norm.running_mean.copy_(means.mean(0))
        self.norm.running_var.copy_(means.var(0))
