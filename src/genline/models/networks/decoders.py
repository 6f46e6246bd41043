"""The decoders by name: next-token models that texts are drawn from and scored by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genline.models.networks.decoder import Decoder
from genline.models.networks.mlp_decoder import MLPDecoder
from genline.models.networks.recurrent_decoder import GRUDecoder, LSTMDecoder
from genline.models.networks.transformer_decoder import TransformerDecoder


@dataclass(frozen=True)
class Sizes:
    """Everything that any decoder wants to know; what a network has no use for is not read."""

    vocabulary: int
    longest: int  # tokens of a text, marks not counted
    embedding: int  # dimensions of a token
    hidden: int  # of the state, the blocks or the dense layers
    latent: int = 0  # dimensions of z; 0: a language model
    layers: int = 1  # recurrent layers or blocks
    heads: int = 1  # of a transformer's attention
    attention: bool = False  # of a recurrent network over its past states


def _lstm(s: Sizes) -> Decoder:
    return LSTMDecoder(
        s.vocabulary, s.embedding, s.hidden, s.latent, layers=s.layers, attention=s.attention
    )


def _gru(s: Sizes) -> Decoder:
    return GRUDecoder(
        s.vocabulary, s.embedding, s.hidden, s.latent, layers=s.layers, attention=s.attention
    )


def _transformer(s: Sizes) -> Decoder:
    return TransformerDecoder(
        s.vocabulary,
        s.embedding,
        s.hidden,
        s.latent,
        longest=s.longest,
        layers=s.layers,
        heads=s.heads,
    )


def _mlp(s: Sizes) -> Decoder:
    return MLPDecoder(s.vocabulary, s.embedding, s.hidden, s.latent, longest=s.longest)


DECODERS: dict[str, Callable[[Sizes], Decoder]] = {
    "lstm": _lstm,
    "gru": _gru,
    "transformer": _transformer,
    "mlp": _mlp,
}
