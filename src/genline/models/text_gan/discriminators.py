"""Discriminators of texts: a score for every prefix, by what has been read so far."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genline.models.networks.dropout import dropout
from genline.models.networks.recurrent_decoder import LSTMDecoder


class LSTMDiscriminator(nn.Module):
    """Logits that the text is real after each of its tokens, from an LSTM and a small MLP.

    It starts from the pretrained generator's embedding and LSTM: features that already know the
    language, as projected GANs use for images (Sauer et al. 2021), save most of its training.
    """

    def __init__(self, vocabulary: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        self.head = nn.Sequential(
            nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)
        )

    def start_from(self, generator: LSTMDecoder) -> None:
        """Take over the embedding and the LSTM of ``generator``, which has the same sizes."""
        with torch.no_grad():
            self.embedding.weight.copy_(generator.embedding.weight * generator.scale)
        self.lstm.load_state_dict(generator.lstm.state_dict())

    def forward(
        self, embedded: Tensor, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Logits (length, batch) of real against generated; embedded (length, batch, embedding).

        ``p`` is the dropout of embeddings and states, drawn from ``generator``.
        """
        states, _ = self.lstm(dropout(embedded, p, generator))
        scores: Tensor = self.head(dropout(states, p, generator))
        return scores[..., 0]


DISCRIMINATORS = {"lstm": LSTMDiscriminator}
