"""The prior itself."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_standard_normal(count: int, latent: int, generator: torch.Generator) -> Tensor:
    """z ~ N(0, I): float32 (count, latent), on the generator's device."""
    return torch.randn(count, latent, generator=generator, device=generator.device)
