"""The codes of InfoGAN: drawing them, and how much an image says of those it was made from."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.models.image_gan.config import Codes

_HIDDEN = 128  # units of the layer that reads codes, as in the paper's appendix C
_LEAST = -8.0  # of ln σ²: a code that is read exactly must not have endless likelihood


def draw_codes(codes: Codes, count: int, generator: torch.Generator) -> Tensor:
    """float32 (count, codes.size): each categorical one-hot and even, then even in [−1, 1]."""
    parts = []
    for categories in codes.categorical:
        chosen = torch.randint(categories, (count,), generator=generator, device=generator.device)
        parts.append(functional.one_hot(chosen, categories).float())
    if codes.continuous:
        shape = (count, codes.continuous)
        parts.append(torch.rand(shape, generator=generator, device=generator.device) * 2 - 1)
    return torch.cat(parts, 1)


class CodeReader(nn.Module):
    """Q(c|x): from a discriminator's features, the categories' logits and each code's Gaussian."""

    def __init__(self, features: int, codes: Codes) -> None:
        super().__init__()
        outputs = sum(codes.categorical) + 2 * codes.continuous
        self.body = nn.Sequential(
            nn.Linear(features, _HIDDEN), nn.LeakyReLU(0.2), nn.Linear(_HIDDEN, outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(batch, features) to logits, means and ln σ² side by side."""
        read: Tensor = self.body(features)
        return read


def information(read: Tensor, drawn: Tensor, codes: Codes) -> Tensor:
    """E[ln Q(c|x)], nats: the bound of the mutual information less the constant H(c).

    Chen et al. 2016, equation 5. read: of a :class:`CodeReader`; drawn: of :func:`draw_codes`.
    """
    total, start = read.new_zeros(()), 0
    for categories in codes.categorical:
        part = slice(start, start + categories)
        total = total + (functional.log_softmax(read[:, part], 1) * drawn[:, part]).sum(1).mean()
        start += categories
    if codes.continuous:
        mean, log_variance = read[:, start:].chunk(2, 1)
        log_variance = log_variance.clamp_min(_LEAST)
        spread = (drawn[:, start:] - mean).square() * (-log_variance).exp()
        density = -0.5 * (math.log(2.0 * math.pi) + log_variance + spread)
        total = total + density.sum(1).mean()
    return total
