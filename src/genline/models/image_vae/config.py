"""The parameters of an image VAE: what it is (``model``) and how it is trained (``train``)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genline.core.params import Section


class Model(Section):
    """The network, its likelihood and its latent samplers."""

    network: Literal["conv"] = Field(description="conv: residual convolutions, images ≥ 8×8")
    width: int = Field(
        ge=1, le=1024, description="channels at full resolution; doubles as it halves"
    )
    blocks: int = Field(ge=0, le=16, description="residual blocks at each resolution")
    latent: int = Field(ge=1, le=4096, description="dimensions of z")
    likelihood: Literal["binomial", "categorical"] = Field(
        description="distribution of a pixel's grey level given z"
    )
    pixels: Literal["draw", "mean"] = Field(
        description="a sample's pixels: drawn from the likelihood, or its mean, rounded"
    )
    gmm_components: list[Annotated[int, Field(ge=1, le=500)]] = Field(
        min_length=1,
        description="components the gmm sampler may have; validation chooses one of these",
    )


class Train(Section):
    """Maximising the evidence lower bound, then fitting the latent sampler."""

    steps: int = Field(ge=1, le=10_000_000, description="optimiser steps")
    batch: int = Field(ge=1, le=65_536, description="images a step")
    learning_rate: float = Field(gt=0, le=1, description="peak rate of AdamW; cosine to 0")
    weight_decay: float = Field(ge=0, le=1, description="decoupled weight decay of AdamW")
    beta: float = Field(ge=0, le=100, description="final weight of the KL term")
    kl_warmup: float = Field(ge=0, le=1, description="share of the steps over which β rises from 0")
    free_bits: float = Field(
        ge=0, le=10, description="nats a latent dimension below which KL costs nothing more"
    )
    clip: float = Field(gt=0, description="largest norm of the gradient")
    ema: float = Field(ge=0, lt=1, description="decay of the averaged weights that are kept")
    validate_every: int = Field(
        ge=1, le=10_000_000, description="steps between validations; the best is kept"
    )
    gmm_draws: int = Field(ge=1, le=100, description="posterior draws an image that the gmm fits")
    gmm_regularisation: float = Field(
        gt=0, le=1, description="added to the diagonal of each covariance of the gmm"
    )
