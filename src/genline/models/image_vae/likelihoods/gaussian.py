"""A Gaussian density with one learned scale: the σ-VAE."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from genline.models.base import Modelled
from genline.models.image_vae.likelihoods.base import Likelihood
from genline.models.networks.pixels import normalise, quantise

_MOMENTUM = 0.05  # of the running mean of σ² in training


class Gaussian(Likelihood):
    """x ~ N(parameters, σ²) on [−1, 1], with one σ for all values: the optimal one.

    Rybkin et al. 2021 (optimal σ-VAE): the σ² of greatest likelihood is the mean squared error, so
    in training each batch is scored with its own, and β needs no tuning. For evaluation σ² is a
    number of the model: a running mean while it trains, then the mean squared error over all the
    images that :meth:`fit` is given.

    It is a density of numbers, not a probability of grey levels, and has no bits a dimension. σ
    is held above the spread that rounding to grey levels has by itself: below, the density would
    reward nothing but having found the grid.
    """

    outputs = 1
    variance: Tensor  # 0-d: σ², on the scale where grey levels span [−1, 1]

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.register_buffer("variance", torch.ones(()))

    @property
    def least(self) -> float:
        """The variance of a uniform distribution over one grey level's width."""
        return (2.0 / (self.levels - 1)) ** 2 / 12.0

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        squares = (parameters.float() - normalise(x, self.levels)).square()
        variance = self._adapted(squares.detach()) if self.training else self.variance
        constant = torch.log(2.0 * math.pi * variance)
        return -0.5 * (squares / variance + constant).sum((-3, -2, -1))

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.float().clamp(-1.0, 1.0).add(1.0).mul((self.levels - 1) / 2.0)

    def draw(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        mean = parameters.float().to(generator.device)
        noise = torch.randn(mean.shape, generator=generator, device=generator.device)
        scale = self.variance.sqrt().to(generator.device)
        return quantise(mean + scale * noise, self.levels).float()

    @torch.no_grad()
    def fit(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        total, count = 0.0, 0
        for parameters, x in pairs:
            squares = (parameters.float() - normalise(x, self.levels)).square()
            total, count = total + float(squares.double().sum()), count + squares.numel()
        self.variance.fill_(max(total / count, self.least))

    @property
    def modelled(self) -> Modelled:
        return Modelled(
            "density",
            "Of a Gaussian density of grey levels spread over [−1, 1], with σ = "
            f"{float(self.variance) ** 0.5:.4g}, not of a probability: it has no bits per "
            "dimension and is not to be held against figures of a discrete likelihood.",
            discrete=False,
        )

    def _adapted(self, squares: Tensor) -> Tensor:
        """This batch's own σ², 0-d; the running mean takes its share of it."""
        variance = squares.mean().clamp_min(self.least)
        self.variance.lerp_(variance, _MOMENTUM)
        return variance
