"""A recurrent encoder of padded texts: what follows a text's end never reaches its code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genline.data.prepared import PAD


class LSTMEncoder(nn.Module):
    """The mean of an LSTM's states over the real tokens of a text, and its state at the end.

    It reads forwards only: a backward pass over a padded batch would start in the padding, and
    a text's code would depend on the batch it stands in.
    """

    def __init__(self, embedding: int, hidden: int) -> None:
        super().__init__()
        self.features = 2 * hidden
        self.lstm = nn.LSTM(embedding, hidden)

    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        """Features float32 (batch, 2 · hidden).

        embedded: (length, batch, embedding), the embeddings of texts (batch, length).
        """
        states, _ = self.lstm(embedded)
        real = (texts != PAD).T
        lengths = real.sum(0)
        last = states[lengths - 1, torch.arange(len(texts), device=texts.device)]
        mean = (states * real[..., None]).sum(0) / lengths[:, None]
        return torch.cat([last, mean], -1)
