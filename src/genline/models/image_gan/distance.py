"""How far generated images are from real ones, cheap enough to follow a training by."""

from __future__ import annotations

import torch
from torch import Tensor


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖ in pixels, without bias; 0 for equal distributions.

    Székely & Rizzo 2013, equation 2, as a U-statistic, so it may fall slightly below 0. Unlike
    adversarial losses it tells how good the samples are; unlike FID it needs no trained judge.
    x, y: (n, …) and (m, …), n and m at least 2.
    """
    x, y = x.flatten(1).double(), y.flatten(1).double()
    return 2 * float(torch.cdist(x, y).mean()) - _within(x) - _within(y)


def _within(x: Tensor) -> float:
    """Mean distance over pairs of different items."""
    return float(torch.cdist(x, x).sum()) / (len(x) * (len(x) - 1))
