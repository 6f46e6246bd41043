"""Discriminators of texts: of every prefix, by what has been read so far, or of whole texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genline.data.prepared import TextSpec
from genline.models.networks.bidirectional_encoder import BidirectionalEncoder
from genline.models.networks.conv_encoder import ConvEncoder
from genline.models.networks.decoder import Decoder
from genline.models.networks.dropout import dropout
from genline.models.networks.encoder import Encoder
from genline.models.networks.recurrent_decoder import GRUDecoder, LSTMDecoder
from genline.models.networks.transformer_encoder import TransformerEncoder
from genline.models.text_gan.config import Discriminator as Section
from genline.models.text_gan.config import Model
from genline.models.text_gan.texts import Texts


class Scores(NamedTuple):
    """Logits of real against generated, and which of them count: both (places, batch).

    A place is a token of the text, or the text itself, which then is the only one.
    """

    logits: Tensor
    real: Tensor

    @property
    def counted(self) -> Tensor:
        """The logits that count, in one row."""
        return self.logits[self.real]

    @property
    def of_texts(self) -> Tensor:
        """The mean of each text's logits, (batch,)."""
        return (self.logits * self.real).sum(0) / self.real.sum(0)


class TextDiscriminator(nn.Module, ABC):
    """Reads texts through an embedding of its own, which starts as the generator's.

    Features that already know the language, as projected GANs use for images (Sauer et al.
    2021), save most of its training.
    """

    def __init__(self, vocabulary: int, embedding: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)

    def start_from(self, generator: Decoder) -> None:
        """Take over what fits of ``generator``, whose embedding has the same size."""
        with torch.no_grad():
            self.embedding.weight.copy_(generator.embedding.weight * generator.scale)

    @abstractmethod
    def features(
        self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """What it has found in each text: (batch, features)."""

    @abstractmethod
    def forward(
        self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Scores:
        """``p`` is the dropout of embeddings and states, drawn from ``generator``."""


class _PrefixDiscriminator(TextDiscriminator):
    """Scores after each token, from a recurrent network and a small perceptron.

    Where the generator is the same network, of the same layers, it starts from that as well.
    """

    recurrence: nn.LSTM | nn.GRU

    def __init__(self, vocabulary: int, embedding: int, hidden: int, layers: int = 1) -> None:
        super().__init__(vocabulary, embedding)
        self._add_recurrence(embedding, hidden, layers)
        self.head = nn.Sequential(
            nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)
        )

    @abstractmethod
    def _add_recurrence(self, embedding: int, hidden: int, layers: int) -> None:
        """Make the network that reads (length, batch, embedding)."""

    @abstractmethod
    def _recurrence_of(self, generator: Decoder) -> nn.LSTM | nn.GRU | None:
        """The like network of ``generator``; None where it is another."""

    def start_from(self, generator: Decoder) -> None:
        super().start_from(generator)
        like = self._recurrence_of(generator)
        if like is None:
            return
        own, given = self.recurrence.state_dict(), like.state_dict()
        # One that also reads noise, or has more layers, is no reader of these embeddings alone.
        if {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in given.items()}:
            self.recurrence.load_state_dict(given)

    def _states(self, texts: Texts, p: float, generator: torch.Generator | None) -> Tensor:
        states: Tensor = self.recurrence(dropout(texts.embed(self.embedding), p, generator))[0]
        return dropout(states, p, generator)

    def features(
        self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """The mean state over a text's real tokens."""
        real = texts.real[..., None]
        return (self._states(texts, p, generator) * real).sum(0) / real.sum(0)

    def forward(
        self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Scores:
        logits = self.head(self._states(texts, p, generator))
        return Scores(logits[..., 0].float(), texts.real)


class LSTMDiscriminator(_PrefixDiscriminator):
    def _add_recurrence(self, embedding: int, hidden: int, layers: int) -> None:
        self.recurrence = nn.LSTM(embedding, hidden, layers)

    def _recurrence_of(self, generator: Decoder) -> nn.LSTM | None:
        return generator.lstm if isinstance(generator, LSTMDecoder) else None


class GRUDiscriminator(_PrefixDiscriminator):
    def _add_recurrence(self, embedding: int, hidden: int, layers: int) -> None:
        self.recurrence = nn.GRU(embedding, hidden, layers)

    def _recurrence_of(self, generator: Decoder) -> nn.GRU | None:
        return generator.gru if isinstance(generator, GRUDecoder) else None


class WholeTextDiscriminator(TextDiscriminator):
    """One score a text, from the features of any encoder."""

    def __init__(self, vocabulary: int, embedding: int, encoder: Encoder) -> None:
        super().__init__(vocabulary, embedding)
        self.encoder = encoder
        self.head = nn.Linear(encoder.features, 1)

    def features(
        self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Tensor:
        embedded = dropout(texts.embed(self.embedding), p, generator)
        found: Tensor = self.encoder(embedded, texts.tokens.T)
        return found

    def forward(
        self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Scores:
        logits = self.head(dropout(self.features(texts, p, generator), p, generator))
        return Scores(logits.T.float(), texts.real[:1])


def make_discriminator(section: Section, model: Model, spec: TextSpec) -> TextDiscriminator:
    """The discriminator of ``section`` for the generator of ``model``."""
    return DISCRIMINATORS[section.network](section, model, spec)


def _whole(section: Section, model: Model, spec: TextSpec) -> TextDiscriminator:
    return WholeTextDiscriminator(
        spec.vocabulary, model.embedding, _ENCODERS[section.network](section, model, spec)
    )


_ENCODERS: dict[str, Callable[[Section, Model, TextSpec], Encoder]] = {
    "recurrent": lambda s, m, _: BidirectionalEncoder(m.embedding, m.hidden, s.layers),
    "conv": lambda s, m, _: ConvEncoder(m.embedding, m.hidden, s.widths),
    "transformer": lambda s, m, spec: TransformerEncoder(
        m.embedding, m.hidden, longest=spec.max_tokens, layers=s.layers, heads=s.heads
    ),
}
DISCRIMINATORS: dict[str, Callable[[Section, Model, TextSpec], TextDiscriminator]] = {
    "lstm": lambda s, m, spec: LSTMDiscriminator(spec.vocabulary, m.embedding, m.hidden, s.layers),
    "gru": lambda s, m, spec: GRUDiscriminator(spec.vocabulary, m.embedding, m.hidden, s.layers),
    **dict.fromkeys(_ENCODERS, _whole),
}
