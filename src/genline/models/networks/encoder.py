"""What the encoders of padded texts share: their one signature, and how states are pooled."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from genline.data.prepared import PAD


class Encoder(nn.Module, ABC):
    """A text's features, which depend on its own tokens alone and on no padding."""

    features: int  # dimensions of what it says of a text

    @abstractmethod
    def forward(self, embedded: Tensor, texts: Tensor) -> Tensor:
        """Features float32 (batch, features).

        embedded: (length, batch, embedding), the embeddings of texts (batch, length).
        """


def last_and_mean(states: Tensor, texts: Tensor) -> Tensor:
    """The state at each text's end and the mean over its real tokens, (batch, 2 · hidden).

    states: (length, batch, hidden), one at each token of texts, int64 (batch, length). What
    stands at padding counts nowhere.
    """
    real = (texts != PAD).T
    lengths = real.sum(0)
    last = states[lengths - 1, torch.arange(len(texts), device=texts.device)]
    mean = (states * real[..., None]).sum(0) / lengths[:, None]
    return torch.cat([last, mean], -1)
