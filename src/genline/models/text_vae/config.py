"""The parameters of a text VAE: what it is (``model``) and how it is trained (``train``)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section


class Model(Section):
    """The networks of a text VAE."""

    network: Literal["lstm", "gru", "transformer", "mlp"] = Field(
        description="lstm or gru: recurrent; transformer; mlp: dense, each place by z alone"
    )
    embedding: int = Field(ge=1, le=8192, description="dimensions of a token, both networks")
    encoder: int = Field(ge=1, le=8192, description="dimensions of the encoder's state")
    decoder: int = Field(ge=1, le=8192, description="dimensions of the decoder's state")
    latent: int = Field(ge=1, le=4096, description="dimensions of z")
    layers: int = Field(
        default=1, ge=1, le=64, description="recurrent layers, or blocks of a transformer, in both"
    )
    heads: int = Field(default=1, ge=1, le=64, description="heads of a transformer's attention")
    attention: bool = Field(
        default=False, description="lstm and gru: the decoder also attends to its past states"
    )
    batch_norm: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="γ of a batch norm of the posterior means, by which the KL averages "
        "latent · γ² / 2 nats or more; 0: none",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        recurrent = self.network in ("lstm", "gru")
        if self.attention and not recurrent:
            raise ValueError(
                f"attention is for network lstm or gru, and this is {self.network}"
                f"{', which is made of it' * (self.network == 'transformer')}; leave it out"
            )
        if self.network == "mlp" and self.layers > 1:
            raise ValueError(
                f"layers is {self.layers}, but network mlp has one; leave it out, or widen decoder"
            )
        if self.network != "transformer" and self.heads > 1:
            raise ValueError(
                f"heads is {self.heads}, which only network transformer has; leave it out"
            )
        for name in ("encoder", "decoder"):
            width = getattr(self, name)
            if width % self.heads:
                raise ValueError(
                    f"{name} is {width}, which {self.heads} heads cannot share; use a multiple, "
                    f"such as {width - width % self.heads or self.heads}"
                )
        return self


class Train(Section):
    """Maximising the evidence lower bound without letting the posterior collapse."""

    steps: int = Field(ge=1, le=10_000_000, description="optimiser steps")
    batch: int = Field(ge=1, le=65_536, description="texts a step")
    learning_rate: float = Field(gt=0, le=1, description="peak rate of AdamW; cosine to 0")
    weight_decay: float = Field(ge=0, le=1, description="decoupled weight decay of AdamW")
    beta: float = Field(ge=0, le=100, description="final weight of the KL term")
    kl_warmup: float = Field(ge=0, le=1, description="share of the steps over which β rises from 0")
    kl_cycles: int = Field(
        default=1, ge=1, le=1000, description="how often β does so, each time anew from 0"
    )
    pretrain_steps: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="steps before these as an autoencoder, after which the decoder starts anew",
    )
    encoder_updates: int = Field(
        default=0,
        ge=0,
        le=100,
        description="further updates of the encoder alone before each step in which β rises",
    )
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

    @model_validator(mode="after")
    def _beta_rises(self) -> Self:
        for name, least in (("kl_cycles", 1), ("encoder_updates", 0)):
            value = getattr(self, name)
            if value > least and not self.kl_warmup * self.beta:
                raise ValueError(
                    f"{name} is {value}, which is for while β rises, and it does not: kl_warmup is "
                    f"{self.kl_warmup:g} and beta {self.beta:g}; set both above 0, or leave it out"
                )
        return self
