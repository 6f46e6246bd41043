"""Grey levels as counts of successes; with two levels, the Bernoulli likelihood."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from genline.models.image_vae.likelihoods.base import Likelihood


class Binomial(Likelihood):
    """x ~ Binomial(levels − 1, sigmoid(parameters)): one parameter a value.

    Its spread is fixed by its mean, which suits counts and few levels; of 256 levels it is
    narrower than most images allow.
    """

    outputs = 1
    log_ways: Tensor  # float32 (levels,): log C(levels − 1, x)

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        # On the device once: made at each step, it would be copied there, and the step would wait.
        self.register_buffer("log_ways", _log_coefficients(levels), persistent=False)

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        # The terms are far larger than their difference: in bf16 nothing of it would be left.
        logits, trials = parameters.float(), self.levels - 1
        log_ways = self.log_ways[x.long()].sum((-3, -2, -1))
        # log p = x·logit + trials·log(1 − sigmoid(logit)), and log(1 − sigmoid) is −softplus.
        terms = x * logits - trials * functional.softplus(logits)
        return terms.sum((-3, -2, -1)) + log_ways

    def mean(self, parameters: Tensor) -> Tensor:
        return torch.sigmoid(parameters.float()) * (self.levels - 1)

    def draw(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        probability = torch.sigmoid(parameters.float()).to(generator.device)
        trials = torch.full_like(probability, self.levels - 1)
        return torch.binomial(trials, probability, generator)


def _log_coefficients(levels: int) -> Tensor:
    """log C(levels − 1, x) for x = 0..levels−1, float32 (levels,)."""
    x = torch.arange(levels, dtype=torch.float64)
    n = float(levels - 1)
    log_ways = torch.lgamma(torch.tensor(n + 1).double()) - torch.lgamma(x + 1)
    return (log_ways - torch.lgamma(n - x + 1)).float()
