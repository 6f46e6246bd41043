"""What every next-token model shares: embedding, output layer, and the likelihood of texts."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from genline.data.prepared import PAD
from genline.models.networks.dropout import dropout

# What a decoder remembers of the tokens it has read: dimension 1 of each part is the row.
State = tuple[Tensor, ...]

_ROWS = 4096  # texts decoded at once; bounds memory whatever the number of draws
_POSITIONS = 2**17  # and places of tokens in them
_TOKENS = 8192  # tokens whose logits exist at once


def select_rows(state: State, rows: Tensor) -> State:
    """The state of ``rows`` (n,), in that order; a row may stand there more than once."""
    return tuple(part.index_select(1, rows) for part in state)


class Decoder(nn.Module, ABC):
    """log p(token | tokens before it, z), the output layer tied to the embedding.

    A subclass says how embeddings, read in order from a state, become readouts: all else, one
    token at a time or whole texts, from tokens or from embeddings of its caller's making, is the
    same for every network. Output weights are tied to the embedding through the readout (Press
    & Wolf 2017), which halves the parameters and lets a rare word's vector learn from both sides.
    """

    def __init__(self, vocabulary: int, embedding: int) -> None:
        super().__init__()
        self.scale = embedding**0.5
        self.embedding = nn.Embedding(vocabulary, embedding)
        # As small as an output layer wants it; what the network reads is scaled to unit variance.
        nn.init.normal_(self.embedding.weight, std=1.0 / self.scale)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    @abstractmethod
    def start(self, batch: int, z: Tensor | None = None) -> State:
        """The state before the first token; z: (batch, latent) where the model has a latent."""

    @abstractmethod
    def run(
        self,
        embedded: Tensor,
        state: State,
        z: Tensor | None = None,
        p: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        """Read (length, batch, embedding) and give the readouts, of the same shape, and the state.

        A readout's product with the embedding matrix, plus the bias, is the next token's logits.
        ``p`` is the dropout within the network, where it has any, drawn from ``generator``.
        """

    def embed(self, tokens: Tensor) -> Tensor:
        """What the network reads at ``tokens``: (..., embedding)."""
        embedded: Tensor = self.embedding(tokens) * self.scale
        return embedded

    def logits(self, readouts: Tensor) -> Tensor:
        """Logits of the next token: (..., vocabulary)."""
        return functional.linear(readouts, self.embedding.weight, self.bias)

    def step(self, tokens: Tensor, state: State, z: Tensor | None = None) -> tuple[Tensor, State]:
        """Read tokens (batch,) and give the next token's logits (batch, vocabulary)."""
        readouts, state = self.run(self.embed(tokens)[None], state, z)
        return self.logits(readouts[0]), state

    def token_log_likelihood(
        self,
        texts: Tensor,
        z: Tensor | None = None,
        *,
        inputs: Tensor | None = None,
        p: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """log p of each token after the first, nats, (batch, length − 1); 0 where it is PAD.

        texts: int64 (batch, length) from :func:`genline.data.prepared.pad_texts`, so the first
        is BOS and the last counted EOS. z: (batch, latent). ``inputs`` (batch, length − 1)
        replaces what the decoder reads (word dropout); ``p`` is the dropout of embeddings and
        of readouts, drawn from ``generator``.
        """
        inputs = texts[:, :-1] if inputs is None else inputs
        targets = texts[:, 1:].T
        embedded = dropout(self.embed(inputs.T), p, generator)
        readouts, _ = self.run(embedded, self.start(len(texts), z), z, p, generator)
        # Only real tokens reach the output layer: it is half of the arithmetic.
        real = targets != PAD
        chosen = torch.split(dropout(readouts[real], p, generator), _TOKENS)
        losses = [
            functional.cross_entropy(self.logits(part).float(), wanted, reduction="none")
            for part, wanted in zip(chosen, torch.split(targets[real], _TOKENS), strict=True)
        ]
        likelihoods = torch.zeros(targets.shape, device=texts.device)
        likelihoods[real] = -torch.cat(losses)
        return likelihoods.T

    def log_likelihood(self, texts: Tensor, z: Tensor | None = None) -> Tensor:
        """log p(text | z), nats, end mark counted, begin mark and padding not.

        texts: (batch, length). z: None, (batch, latent) or (draws, batch, latent). Gives
        float32 (batch,), or (draws, batch).
        """
        if z is None or z.dim() == 2:
            return self.token_log_likelihood(texts, z).sum(1)
        together = max(1, min(_ROWS // len(texts), _POSITIONS // texts.numel()))
        rows = [
            self.token_log_likelihood(texts.repeat(len(part), 1), part.flatten(0, 1)).sum(1)
            for part in torch.split(z, together)
        ]
        return torch.cat(rows).view(z.shape[:2])
