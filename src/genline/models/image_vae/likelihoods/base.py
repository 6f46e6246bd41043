"""What a likelihood of grey levels gives: log-probabilities, means and draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from genline.models.base import Modelled


class Likelihood(nn.Module, ABC):
    """p(x|z) as a function of what the decoder gives: independent values given z.

    Shapes: x uint8 (batch, channels, height, width) grey levels 0..levels−1; parameters float
    (..., batch, channels · outputs, height, width).
    """

    outputs: int  # parameters for each value of an image

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels

    @abstractmethod
    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """log p(x|z) in nats, summed over an image: float32 (..., batch)."""

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """The expected grey level, in [0, levels − 1]: (..., batch, channels, height, width)."""

    @abstractmethod
    def draw(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        """Whole grey levels drawn value by value, float, on the generator's device."""

    def fit(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit, after training, what depends on all images at once: (parameters, x) in batches."""

    @property
    def modelled(self) -> Modelled:
        """What the log-probabilities are of."""
        return Modelled()


def by_output(parameters: Tensor, outputs: int) -> Tensor:
    """(..., channels · outputs, h, w) to (..., channels, outputs, h, w)."""
    *batch, channels, height, width = parameters.shape
    return parameters.reshape(*batch, channels // outputs, outputs, height, width)
