"""Any distribution over the grey levels at all, at the price of one output for each."""

from __future__ import annotations

import torch
from torch import Tensor

from genline.models.image_vae.likelihoods.base import Likelihood, by_output


class Categorical(Likelihood):
    """x ~ softmax(parameters): as many parameters a value as there are levels."""

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.outputs = levels

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_probabilities = by_output(parameters, self.levels).float().log_softmax(-3)
        index = x.long().unsqueeze(-3).expand(*log_probabilities.shape[:-3], 1, *x.shape[-2:])
        return log_probabilities.gather(-3, index).sum((-4, -3, -2, -1))

    def mean(self, parameters: Tensor) -> Tensor:
        grey = torch.arange(self.levels, device=parameters.device, dtype=torch.float32)
        probabilities = by_output(parameters, self.levels).float().softmax(-3)
        return (probabilities * grey[:, None, None]).sum(-3)

    def draw(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        by_level = by_output(parameters.to(generator.device), self.levels).float().movedim(-3, -1)
        flat = by_level.softmax(-1).flatten(0, -2)
        return torch.multinomial(flat, 1, generator=generator).reshape(by_level.shape[:-1]).float()
