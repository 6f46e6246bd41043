"""The codes of InfoGAN: drawing and setting them, and how much an image says of its own.

Codes are numbered from 0, the categorical ones first.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.core.errors import ModelError
from genline.models.image_gan.config import Codes

_STEPS = 9  # from −1 to 1, in which a continuous code is shown
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


def code_values(codes: Codes, code: int) -> list[float]:
    """What ``code`` may be: its categories, or steps from −1 to 1. Raises ModelError for no code.

    A continuous code may be any other number too: beyond ±1 the generator extrapolates.
    """
    count = len(codes.categorical) + codes.continuous
    if not count:
        raise ModelError(
            "the model was trained without codes; train one with objective: infogan and model.codes"
        )
    if not 0 <= code < count:
        raise ModelError(f"no code {code}; use 0 to {count - 1}")
    if code < len(codes.categorical):
        return [float(category) for category in range(codes.categorical[code])]
    return [2.0 * step / (_STEPS - 1) - 1.0 for step in range(_STEPS)]


def set_code(drawn: Tensor, codes: Codes, code: int, value: float) -> None:
    """Give ``code`` one value in all of ``drawn``, of :func:`draw_codes`, in place.

    Raises ModelError for a code or a category that there is not.
    """
    values, start = code_values(codes, code), sum(codes.categorical[:code])
    if not math.isfinite(value):
        raise ModelError(f"code {code} cannot be {value}; use a number, such as 0.5")
    if code >= len(codes.categorical):
        drawn[:, start + code - len(codes.categorical)] = value
        return
    if value not in values:
        raise ModelError(
            f"code {code} has {len(values)} categories and none is {value:g}; use 0 to "
            f"{len(values) - 1}"
        )
    drawn[:, start : start + len(values)] = 0.0
    drawn[:, start + int(value)] = 1.0


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
