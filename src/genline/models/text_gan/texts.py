"""Texts as a discriminator reads them, and as vectors that a distance can be taken of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genline.data.prepared import PAD

_COLUMNS = 2048  # of a bag of n-grams; two that share a column count as one


@dataclass(frozen=True)
class Texts:
    """Texts as a discriminator reads them, time first and without BOS."""

    tokens: Tensor  # int64 (length, batch), PAD after EOS
    relaxed: Tensor | None = None  # (length, batch, vocabulary) one-hot rows that carry gradient
    z: Tensor | None = None  # (batch, latent): the noise they were generated from, where any was

    @property
    def real(self) -> Tensor:
        """Which positions hold tokens: bool (length, batch)."""
        return self.tokens != PAD

    def embed(self, embedding: nn.Embedding) -> Tensor:
        if self.relaxed is None:
            embedded: Tensor = embedding(self.tokens)
            return embedded
        return self.relaxed @ embedding.weight

    def detach(self) -> Texts:
        return Texts(self.tokens)


def ngram_bags(texts: Tensor) -> Tensor:
    """How often each token and each pair of neighbours stands in a text, of length 1.

    texts: int64 (batch, length), PAD after EOS. Gives float32 (batch, columns), the n-grams
    hashed to columns (Weinberger et al. 2009), so that one array fits any vocabulary. An energy
    distance of such bags is without bias at any count, where the n-gram divergences are lowered
    by samples of too little variety.
    """
    first, second = texts[:, :-1], texts[:, 1:]
    pairs = (first * 7919 + second * 104729) % _COLUMNS  # two primes: order matters
    columns = torch.cat([texts % _COLUMNS, pairs], 1)
    weights = torch.cat([texts != PAD, second != PAD], 1).float()
    bags = torch.zeros(len(texts), _COLUMNS, device=texts.device)
    bags.scatter_add_(1, columns, weights)
    return nn.functional.normalize(bags)
