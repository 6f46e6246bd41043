"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class ExponentialAverage:
    """Keeps w ← decay · w + (1 − decay) · weights; buffers such as batch-norm means are copied.

    The average is bias-corrected by a growing decay, min(decay, (1 + t) / (10 + t)) at update t
    (the rule of TensorFlow's ExponentialMovingAverage), so that early weights fade quickly.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.module = copy.deepcopy(module).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        averaged: list[Tensor] = list(self.module.parameters())
        torch._foreach_lerp_(averaged, [p.detach() for p in module.parameters()], 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)

    def state_dict(self) -> dict[str, Tensor | int]:
        return {"updates": self.updates, **self.module.state_dict()}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        state = dict(state)
        self.updates = int(state.pop("updates"))
        self.module.load_state_dict(state)
