"""A convolutional encoder of padded texts: which short phrases stand anywhere in them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from genline.data.prepared import PAD
from genline.models.networks.encoder import Encoder


class ConvEncoder(Encoder):
    """Filters of several widths, each followed by its maximum over time (Kim 2014, section 2)."""

    def __init__(self, embedding: int, hidden: int, widths: Sequence[int]) -> None:
        """``hidden``: filters of each of ``widths``, which are numbers of tokens."""
        super().__init__()
        self.features, self.widths = hidden * len(widths), tuple(widths)
        self.filters = nn.ModuleList(nn.Conv1d(embedding, hidden, width) for width in widths)

    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        real = texts != PAD
        x = embedded.permute(1, 2, 0) * real[:, None]
        found = []
        for width, layer in zip(self.widths, self.filters, strict=True):
            # One window begins at each token, and those at the end look at zeros beyond it: how
            # far a batch is padded changes nothing, and no text is too short for a filter.
            heard = layer(functional.pad(x, (0, width - 1)))
            found.append(heard.masked_fill(~real[:, None], -torch.inf).amax(-1))
        return functional.leaky_relu(torch.cat(found, -1), 0.2)
