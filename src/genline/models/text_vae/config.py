"""The parameters of a text VAE: what it is (``model``) and how it is trained (``train``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genline.core.params import Section


class Model(Section):
    """The networks of a text VAE."""

    network: Literal["lstm"] = Field(description="lstm: recurrent encoder and decoder")
    embedding: int = Field(ge=1, le=8192, description="dimensions of a token, both networks")
    encoder: int = Field(ge=1, le=8192, description="dimensions of the encoder's state")
    decoder: int = Field(ge=1, le=8192, description="dimensions of the decoder's state")
    latent: int = Field(ge=1, le=4096, description="dimensions of z")


class Train(Section):
    """Maximising the evidence lower bound without letting the posterior collapse."""

    steps: int = Field(ge=1, le=10_000_000, description="optimiser steps")
    batch: int = Field(ge=1, le=65_536, description="texts a step")
    learning_rate: float = Field(gt=0, le=1, description="peak rate of AdamW; cosine to 0")
    weight_decay: float = Field(ge=0, le=1, description="decoupled weight decay of AdamW")
    beta: float = Field(ge=0, le=100, description="final weight of the KL term")
    kl_warmup: float = Field(ge=0, le=1, description="share of the steps over which β rises from 0")
    free_bits: float = Field(
        ge=0,
        le=1000,
        description="nats a text, shared by the dimensions, below which KL costs nothing more",
    )
    word_dropout: float = Field(ge=0, le=1, description="share of the decoder's inputs hidden")
    dropout: float = Field(ge=0, lt=1, description="share of embeddings and readouts dropped")
    bag_of_words: float = Field(
        ge=0, le=100, description="weight of predicting a text's words from z alone"
    )
    clip: float = Field(gt=0, description="largest norm of the gradient")
    ema: float = Field(ge=0, lt=1, description="decay of the averaged weights that are kept")
    validate_every: int = Field(
        ge=1, le=10_000_000, description="steps between validations; the best is kept"
    )
    validate_texts: int = Field(
        ge=1, le=10_000_000, description="texts of the validation split that are scored"
    )
    validate_draws: int = Field(ge=1, le=1000, description="posterior draws of each")
