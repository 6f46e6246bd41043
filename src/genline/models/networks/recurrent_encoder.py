"""Recurrent encoders of padded texts: what follows a text's end never reaches its code."""

from __future__ import annotations

from torch import Tensor, nn

from genline.models.networks.encoder import Encoder, last_and_mean


class LSTMEncoder(Encoder):
    """The mean of an LSTM's states over the real tokens of a text, and its state at the end.

    It reads forwards only: a backward pass over a padded batch would start in the padding, and
    a text's code would depend on the batch it stands in.
    """

    def __init__(self, embedding: int, hidden: int, layers: int = 1) -> None:
        super().__init__()
        self.features = 2 * hidden
        self.lstm = nn.LSTM(embedding, hidden, layers)

    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        states, _ = self.lstm(embedded)
        return last_and_mean(states, texts)


class GRUEncoder(Encoder):
    """The same of a GRU."""

    def __init__(self, embedding: int, hidden: int, layers: int = 1) -> None:
        super().__init__()
        self.features = 2 * hidden
        self.gru = nn.GRU(embedding, hidden, layers)

    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        states, _ = self.gru(embedded)
        return last_and_mean(states, texts)
