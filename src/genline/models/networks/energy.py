"""The energy distance between two sets of vectors: how far samples are from real items."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Energy(NamedTuple):
    """A distance, and the standard error that the draw of the samples gives it."""

    distance: float
    error: float


def energy_distance(x: Tensor, y: Tensor) -> Energy:
    """2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖, without bias; 0 for equal distributions.

    Székely & Rizzo 2013, equation 2, as a U-statistic, so it may fall slightly below 0. Unlike
    adversarial losses it tells how good samples are; unlike FID it needs no trained judge, so a
    training may choose by it. x: (n, …) samples, y: (m, …) real items; unbiased for n and m of 2
    or more.

    The error is that of other samples against the same real items, by Hoeffding's decomposition:
    its first term vanishes as the distributions come together, and the second remains.
    """
    x, y = x.flatten(1).double(), y.flatten(1).double()
    across, among = torch.cdist(x, y), torch.cdist(x, x)
    distance = 2 * float(across.mean()) - _within(among) - _within(torch.cdist(y, y))
    n = len(x)
    rows = among.sum(1) / max(1, n - 1)
    first = float((2 * across.mean(1) - 2 * rows).var(correction=0)) / n
    centred = (among - rows - rows[:, None] + rows.mean()).fill_diagonal_(0.0)
    second = 2 * float(centred.square().sum()) / max(1, n * (n - 1)) ** 2
    # The first term is measured with the noise of the second, which adds twice it.
    return Energy(distance, max(first - second, 0.0) ** 0.5)


def _within(distances: Tensor) -> float:
    """Mean distance over pairs of different items; 0 for a single one, which has no pair."""
    return float(distances.sum()) / max(1, len(distances) * (len(distances) - 1))
