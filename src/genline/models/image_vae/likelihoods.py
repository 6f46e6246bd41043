"""Normalised discrete likelihoods of grey levels, so that nats and bits mean something.

Each is three pure functions of the decoder's outputs, and the number of those it needs for each
value of an image. Another likelihood is another entry of ``LIKELIHOODS``.

Shapes: x uint8 (batch, channels, height, width) grey levels 0..levels−1; parameters float
(..., batch, channels · outputs, height, width).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


def binomial_log_prob(parameters: Tensor, x: Tensor, levels: int) -> Tensor:
    """log Binomial(x; levels − 1, sigmoid(parameters)) in nats, summed over an image: (..., batch).

    With two levels this is the Bernoulli likelihood.
    """
    trials, value = levels - 1, x.to(parameters.dtype)
    log_ways = _log_binomial_coefficients(levels, x.device)[x.long()].sum((-3, -2, -1))
    # log p = x·logit + trials·log(1 − sigmoid(logit)), and log(1 − sigmoid) is −softplus.
    terms = value * parameters - trials * functional.softplus(parameters)
    return terms.float().sum((-3, -2, -1)) + log_ways


def binomial_mean(parameters: Tensor, levels: int) -> Tensor:
    """The expected grey level, in [0, levels − 1]."""
    return torch.sigmoid(parameters) * (levels - 1)


def binomial_draw(parameters: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """Grey levels drawn pixel by pixel, float, on the generator's device."""
    probability = torch.sigmoid(parameters.float()).to(generator.device)
    return torch.binomial(torch.full_like(probability, levels - 1), probability, generator)


def categorical_log_prob(parameters: Tensor, x: Tensor, levels: int) -> Tensor:
    """log softmax(parameters)[x] in nats, summed over an image: (..., batch)."""
    log_probabilities = _by_level(parameters, levels).float().log_softmax(-3)
    index = x.long().unsqueeze(-3).expand(*log_probabilities.shape[:-3], 1, *x.shape[-2:])
    return log_probabilities.gather(-3, index).sum((-4, -3, -2, -1))


def categorical_mean(parameters: Tensor, levels: int) -> Tensor:
    """The expected grey level, in [0, levels − 1]."""
    grey = torch.arange(levels, device=parameters.device, dtype=torch.float32)
    return (_by_level(parameters, levels).float().softmax(-3) * grey[:, None, None]).sum(-3)


def categorical_draw(parameters: Tensor, levels: int, generator: torch.Generator) -> Tensor:
    """Grey levels drawn pixel by pixel, float, on the generator's device."""
    by_level = _by_level(parameters.to(generator.device), levels).float().movedim(-3, -1)
    flat = by_level.softmax(-1).flatten(0, -2)
    return torch.multinomial(flat, 1, generator=generator).reshape(by_level.shape[:-1]).float()


def _by_level(parameters: Tensor, levels: int) -> Tensor:
    """(..., channels · levels, h, w) to (..., channels, levels, h, w)."""
    *batch, channels, height, width = parameters.shape
    return parameters.reshape(*batch, channels // levels, levels, height, width)


def _log_binomial_coefficients(levels: int, device: torch.device) -> Tensor:
    """log C(levels − 1, x) for x = 0..levels−1, float32 (levels,)."""
    x = torch.arange(levels, dtype=torch.float64)
    n = float(levels - 1)
    log_ways = torch.lgamma(torch.tensor(n + 1).double()) - torch.lgamma(x + 1)
    return (log_ways - torch.lgamma(n - x + 1)).float().to(device)


class Likelihood(NamedTuple):
    """A distribution of grey levels."""

    outputs: Callable[[int], int]  # decoder outputs for each value, given the number of levels
    log_prob: Callable[[Tensor, Tensor, int], Tensor]
    mean: Callable[[Tensor, int], Tensor]
    draw: Callable[[Tensor, int, torch.Generator], Tensor]


LIKELIHOODS: dict[str, Likelihood] = {
    "binomial": Likelihood(lambda levels: 1, binomial_log_prob, binomial_mean, binomial_draw),
    "categorical": Likelihood(
        lambda levels: levels, categorical_log_prob, categorical_mean, categorical_draw
    ),
}
