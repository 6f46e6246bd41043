"""A plain multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(sizes: Sequence[int], slope: float = 0.2) -> nn.Sequential:
    """Linear layers through ``sizes``, leaky ReLUs between them and none after the last.

    Maps (batch, sizes[0]) to (batch, sizes[-1]).
    """
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        if i:
            layers.append(nn.LeakyReLU(slope))
        layers.append(nn.Linear(inputs, outputs))
    return nn.Sequential(*layers)
