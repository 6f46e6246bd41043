"""The energy distance between two sets of vectors: how far samples are from real items."""

from __future__ import annotations

import torch
from torch import Tensor


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖, without bias; 0 for equal distributions.

    Székely & Rizzo 2013, equation 2, as a U-statistic, so it may fall slightly below 0. Unlike
    adversarial losses it tells how good samples are; unlike FID it needs no trained judge, so a
    training may choose by it. x, y: (n, …) and (m, …); unbiased for n and m of 2 or more.
    """
    x, y = x.flatten(1).double(), y.flatten(1).double()
    return 2 * float(torch.cdist(x, y).mean()) - _within(x) - _within(y)


def _within(x: Tensor) -> float:
    """Mean distance over pairs of different items; 0 for a single one, which has no pair."""
    return float(torch.cdist(x, x).sum()) / max(1, len(x) * (len(x) - 1))
