"""Self-attention between the positions of a feature map."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class SelfAttention2d(nn.Module):
    """x + γ · o(x), each position of o a mixture of features from all positions.

    Zhang et al. 2019 (SAGAN), section 3: 1×1 convolutions make queries and keys of an eighth of
    the channels and, as in the authors' code, values of half of them; the mixture goes back to
    ``channels`` by a fourth. γ, a learned number, starts at 0, so that a network begins as it
    would without attention and first learns what is near. The convolutions (``query``, ``key``,
    ``value``, ``output``) have no bias and may be spectrally normalised from outside.

    Maps (batch, channels, height, width) to the same shape. Memory is (height · width)² an image:
    meant for maps of some 16×16; on a 1×1 map it mixes nothing.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.output = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def weights(self, x: Tensor) -> Tensor:
        """What share each position (row) takes from each (column): (batch, h · w, h · w)."""
        query, key = self.query(x).flatten(2), self.key(x).flatten(2)
        shares: Tensor = (query.transpose(1, 2) @ key).softmax(-1)
        return shares

    def forward(self, x: Tensor) -> Tensor:
        # Written out: the fused kernel's backward is not deterministic on every device.
        mixed = self.value(x).flatten(2) @ self.weights(x).transpose(1, 2)
        output = self.output(mixed.reshape(len(x), -1, *x.shape[-2:]))
        return cast(Tensor, x + self.gamma * output)
