"""The judge of texts: an LSTM language model, read also as an encoder by its pooled states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.core.arrays import Floats
from genline.data.prepared import EOS, PAD, TextSpec, TextSplit
from genline.models.evaluators.config import TextEvaluator
from genline.models.networks.dropout import dropout


class LanguageModel(nn.Module):
    """p(token | the tokens before it): one LSTM layer, its output tied to the embedding.

    The states pass a linear layer before they meet the embeddings again (Inan et al., 2017;
    Press and Wolf, 2017, section 3). x is int64 (batch, longest + 2) from
    :func:`genline.data.prepared.pad_texts` throughout.
    """

    def __init__(self, params: TextEvaluator, spec: TextSpec) -> None:
        super().__init__()
        self.rate, self.scale = params.dropout, params.embedding**0.5
        self.embedding = nn.Embedding(spec.vocabulary, params.embedding)
        nn.init.normal_(self.embedding.weight, std=1.0 / self.scale)
        self.recurrence = nn.LSTM(params.embedding, params.hidden, batch_first=True)
        self.projection = nn.Linear(params.hidden, params.embedding)
        self.bias = nn.Parameter(torch.zeros(spec.vocabulary))

    def states(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """float32 (batch, longest + 1, hidden): after each token but the last of its row."""
        # Scaled back to unit variance: what suits the output is too small for the recurrence.
        embedded = dropout(self.embedding(x[:, :-1]) * self.scale, self.rate, generator)
        states: Tensor = self.recurrence(embedded)[0]
        return states

    def logits(self, states: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """float32 (n, vocabulary) of states (n, hidden)."""
        projected = self.projection(dropout(states, self.rate, generator))
        return functional.linear(projected, self.embedding.weight, self.bias)

    def token_nll(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Nats of every token after the begin mark that is not padding, float32 (tokens,).

        Row by row. ``generator`` draws the dropout masks; None means evaluation.
        """
        return self._token_nll(x, self.states(x, generator), generator)

    def _token_nll(self, x: Tensor, states: Tensor, generator: torch.Generator | None) -> Tensor:
        counted = x[:, 1:] != PAD
        logits = self.logits(states[counted], generator)
        return functional.cross_entropy(logits, x[:, 1:][counted], reduction="none")

    def nll(self, x: Tensor) -> Tensor:
        """−ln p(x) of each text in nats, float64 (batch,): end mark counted, begin mark not."""
        return self._nll(x, self.states(x))

    def _nll(self, x: Tensor, states: Tensor) -> Tensor:
        counted = x[:, 1:] != PAD
        nats = torch.zeros(counted.shape, dtype=torch.float64, device=x.device)
        nats[counted] = self._token_nll(x, states, None).double()
        return nats.sum(dim=1)

    def features(self, x: Tensor) -> Tensor:
        """The mean of the states after each real token, float32 (batch, hidden).

        Marks and padding have no part in it; a text without tokens has the zero vector.
        """
        return self._features(x, self.states(x))

    def _features(self, x: Tensor, states: Tensor) -> Tensor:
        real = (x[:, 1:-1] != PAD) & (x[:, 1:-1] != EOS)
        summed = (states[:, 1:] * real.unsqueeze(-1)).sum(dim=1)
        pooled: Tensor = summed / real.sum(dim=1, keepdim=True).clamp_min(1)
        return pooled

    def nats(self, texts: TextSplit) -> Floats:
        """:meth:`nll` of every text, float64 (texts,)."""
        return over_texts(self.nll, texts, self.bias.device)[:, 0]

    def embed(self, texts: TextSplit) -> Floats:
        """:meth:`features` of every text, float64 (texts, hidden)."""
        return over_texts(self.features, texts, self.bias.device)

    def read(self, texts: TextSplit) -> tuple[Floats, Floats]:
        """:meth:`embed` and :meth:`nats` of every text, from one pass over them."""

        def both(x: Tensor) -> Tensor:
            states = self.states(x)
            return torch.cat([self._features(x, states), self._nll(x, states)[:, None]], dim=1)

        found = over_texts(both, texts, self.bias.device)
        return found[:, :-1], found[:, -1]


@torch.no_grad()
def over_texts(
    score: Callable[[Tensor], Tensor], texts: TextSplit, device: torch.device, batch: int = 128
) -> Floats:
    """``score`` of every text, float64 (texts, columns), in their order.

    ``score`` is given x, int64 (at most batch, longest + 2), of texts of like length, so that
    little is padding, and returns (batch,) or (batch, columns).
    """
    order = np.argsort(texts.lengths, kind="stable")
    parts = []
    for start in range(0, len(order), batch):
        x = torch.tensor(texts.batch(order[start : start + batch]), device=device)
        parts.append(score(x).double().cpu().numpy().reshape(len(x), -1))
    stacked = np.concatenate(parts)
    result = np.empty_like(stacked)
    result[order] = stacked
    return result


def build(params: TextEvaluator, spec: TextSpec) -> LanguageModel:
    return LanguageModel(params, spec)
