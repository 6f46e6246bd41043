"""Grey levels as bins of a logistic distribution: two outputs a value, whatever the levels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from genline.models.image_vae.likelihoods.base import Likelihood, by_output

# Of log-scales: from an eighth of a bin of 256 levels to a spread that is flat on [−1, 1].
_NARROWEST, _WIDEST = -7.0, 7.0


class DiscretizedLogistic(Likelihood):
    """The mass a logistic distribution on [−1, 1] has in each grey level's bin.

    Salimans et al. 2017 (PixelCNN++), section 2.1, with one component: the bins of the lowest and
    the highest level reach to infinity, so the probabilities sum to one. The decoder gives the
    mean and the log-scale of each value.
    """

    outputs = 2

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        mean, log_scale = self._split(parameters)
        half = 1.0 / (self.levels - 1)  # of a bin
        precision = torch.exp(-log_scale)
        centred = x.float() * (2.0 * half) - 1.0 - mean
        above, below = (centred + half) * precision, (centred - half) * precision
        # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b−a)), exact where a difference would lose its digits.
        within = torch.log(-torch.expm1(-2.0 * half * precision))
        inside = functional.logsigmoid(above) + functional.logsigmoid(-below) + within
        lowest, highest = functional.logsigmoid(above), functional.logsigmoid(-below)
        edge = torch.where(x == 0, lowest, highest)
        log_mass = torch.where((x == 0) | (x == self.levels - 1), edge, inside)
        return log_mass.sum((-3, -2, -1))

    def mean(self, parameters: Tensor) -> Tensor:
        mean, log_scale = self._split(parameters)
        precision, width = torch.exp(-log_scale), 2.0 / (self.levels - 1)
        # E x = Σ P(x > k), a level at a time: all at once would take ``levels`` images' memory.
        expected = torch.zeros_like(mean)
        for level in range(self.levels - 1):
            expected += torch.sigmoid((mean - ((level + 0.5) * width - 1.0)) * precision)
        return expected

    def draw(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        mean, log_scale = self._split(parameters.to(generator.device))
        uniform = torch.rand(mean.shape, generator=generator, device=generator.device)
        # Away from 0 and 1, where the quantile is infinite.
        value = mean + torch.exp(log_scale) * torch.logit(uniform, eps=1e-7)
        scaled = (value + 1.0) * ((self.levels - 1) / 2.0)
        return scaled.round_().clamp_(0, self.levels - 1)

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-scale of each value, float32 (..., channels, height, width)."""
        mean, log_scale = by_output(parameters, self.outputs).float().unbind(-3)
        return mean, log_scale.clamp(_NARROWEST, _WIDEST)
