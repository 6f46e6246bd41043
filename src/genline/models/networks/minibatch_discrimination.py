"""Minibatch discrimination: how near an image's features are to those of the rest of its batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MinibatchDiscrimination(nn.Module):
    """o(x_i)_b = Σ_{j≠i} exp(−‖M_{i,b} − M_{j,b}‖₁): Salimans et al. 2016, section 3.2.

    A generator that gives one image again and again is caught, since a discriminator sees how
    alike the images of a batch are.
    """

    def __init__(self, features: int, kernels: int, dimensions: int = 8) -> None:
        super().__init__()
        self.kernels = kernels
        self.project = nn.Linear(features, kernels * dimensions, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, features) to (batch, features + kernels); every value depends on the batch."""
        projected = self.project(features).reshape(len(features), self.kernels, -1)
        distances = (projected[:, None] - projected[None]).abs().sum(-1)
        # An image's distance to itself is 0, and counts 1.
        near = torch.exp(-distances).sum(1) - 1.0
        return torch.cat([features, near], -1)
