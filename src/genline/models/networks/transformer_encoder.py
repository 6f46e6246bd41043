"""A transformer that reads a whole text at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genline.data.prepared import PAD
from genline.models.networks.encoder import Encoder, last_and_mean
from genline.models.networks.sequence_attention import Block


class TransformerEncoder(Encoder):
    """Attention in both directions, over real tokens alone; the states pooled.

    Only an encoder may look both ways: the decoder that a text is scored by is another network,
    and causal.
    """

    def __init__(
        self, embedding: int, hidden: int, *, longest: int, layers: int = 1, heads: int = 1
    ) -> None:
        super().__init__()
        self.features = 2 * hidden
        self.input = nn.Linear(embedding, hidden)
        self.position = nn.Embedding(longest + 2, hidden)
        nn.init.normal_(self.position.weight, std=0.1)
        self.blocks = nn.ModuleList(Block(hidden, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        places = torch.arange(len(embedded), device=embedded.device)
        x = self.input(embedded) + self.position(places)[:, None]
        real = (texts != PAD)[:, None, None]
        for block in self.blocks:
            x, _ = block(x, real)
        return last_and_mean(self.norm(x), texts)
