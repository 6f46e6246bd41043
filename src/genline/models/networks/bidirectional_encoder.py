"""A recurrent encoder of padded texts that reads them from either end."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genline.data.prepared import PAD
from genline.models.networks.encoder import Encoder, last_and_mean


class BidirectionalEncoder(Encoder):
    """A GRU forwards and another backwards (Schuster & Paliwal 1997), each with its pooled states.

    The second one reads each text from its own last token, not from the end of the padding, so
    that a text's code depends on no other text of the batch.
    """

    def __init__(self, embedding: int, hidden: int, layers: int = 1) -> None:
        super().__init__()
        self.features = 4 * hidden
        self.forwards = nn.GRU(embedding, hidden, layers)
        self.backwards = nn.GRU(embedding, hidden, layers)

    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        ahead, _ = self.forwards(embedded)
        back, _ = self.backwards(turned(embedded, texts))
        return torch.cat([last_and_mean(ahead, texts), last_and_mean(back, texts)], -1)


def turned(embedded: Tensor, texts: Tensor) -> Tensor:
    """Each text of ``embedded`` (length, batch, embedding) backwards, its padding where it was."""
    lengths = (texts != PAD).sum(1)
    places = torch.arange(len(embedded), device=embedded.device)[:, None]
    source = torch.where(places < lengths, lengths - 1 - places, places)
    return embedded.gather(0, source[..., None].expand_as(embedded))
