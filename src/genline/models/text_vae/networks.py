"""The encoders of a text VAE by name; each stands before the decoder of the same name."""

from __future__ import annotations

from collections.abc import Callable

from genline.data.prepared import TextSpec
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoders import DECODERS, Sizes
from genline.models.networks.encoder import Encoder
from genline.models.networks.mlp_encoder import MLPEncoder
from genline.models.networks.recurrent_encoder import GRUEncoder, LSTMEncoder
from genline.models.networks.transformer_encoder import TransformerEncoder
from genline.models.text_vae.config import Model

ENCODERS: dict[str, Callable[[Model, TextSpec], Encoder]] = {
    "lstm": lambda model, _: LSTMEncoder(model.embedding, model.encoder, model.layers),
    "gru": lambda model, _: GRUEncoder(model.embedding, model.encoder, model.layers),
    "transformer": lambda model, spec: TransformerEncoder(
        model.embedding,
        model.encoder,
        longest=spec.max_tokens,
        layers=model.layers,
        heads=model.heads,
    ),
    "mlp": lambda model, spec: MLPEncoder(model.embedding, model.encoder, longest=spec.max_tokens),
}


def make_encoder(model: Model, spec: TextSpec) -> Encoder:
    """It reads tokens through the decoder's embedding."""
    return ENCODERS[model.network](model, spec)


def make_decoder(model: Model, spec: TextSpec) -> Decoder:
    sizes = Sizes(
        vocabulary=spec.vocabulary,
        longest=spec.max_tokens,
        embedding=model.embedding,
        hidden=model.decoder,
        latent=model.latent,
        layers=model.layers,
        heads=model.heads,
        attention=model.attention,
    )
    return DECODERS[model.network](sizes)
