"""A dense encoder of texts: each place has weights of its own."""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn

from genline.data.prepared import PAD
from genline.models.networks.encoder import Encoder


class MLPEncoder(Encoder):
    """Two dense layers over the embeddings of all places side by side; padding reads as zeros."""

    def __init__(self, embedding: int, hidden: int, *, longest: int) -> None:
        super().__init__()
        self.features = hidden
        self.places = nn.Linear((longest + 2) * embedding, hidden)
        self.layer = nn.Linear(hidden, hidden)

    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        real = embedded * (texts != PAD).T[..., None]
        flat = real.transpose(0, 1).flatten(1)
        # A batch is as wide as its longest text: the places beyond would add nothing.
        weight = self.places.weight[:, : flat.shape[1]]
        hidden = functional.leaky_relu(functional.linear(flat, weight, self.places.bias), 0.2)
        return functional.leaky_relu(self.layer(hidden), 0.2)
