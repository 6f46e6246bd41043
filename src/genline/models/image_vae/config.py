"""The parameters of an image VAE: what it is (``model``) and how it is trained (``train``)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section

Sampler = Literal["gmm", "prior", "two_stage"]


class Model(Section):
    """The network, its likelihood and its latent samplers."""

    network: Literal["conv", "mlp", "recurrent"] = Field(
        description="conv: residual convolutions, images ≥ 8×8; recurrent: an LSTM over the rows "
        "of convolutions, images ≥ 4×4; mlp: layers on the flattened image"
    )
    width: int = Field(
        ge=1,
        le=8192,
        description="channels at full resolution, doubling as it halves; of mlp, units of a layer",
    )
    blocks: int = Field(
        ge=0, le=16, description="residual blocks at each resolution; of mlp, hidden layers"
    )
    latent: int = Field(ge=1, le=4096, description="dimensions of z")
    likelihood: Literal[
        "bernoulli", "binomial", "categorical", "discretized_logistic", "gaussian"
    ] = Field(description="distribution of a pixel's grey level given z")
    pixels: Literal["draw", "mean"] = Field(
        description="a sample's pixels: drawn from the likelihood, or its mean, rounded"
    )
    gmm_components: list[Annotated[int, Field(ge=1, le=500)]] = Field(
        min_length=1,
        description="components the gmm sampler may have; validation chooses one of these",
    )
    samplers: list[Sampler] = Field(
        default=["gmm", "prior"],
        min_length=1,
        description="where the z of samples come from, the default first: gmm, prior or two_stage",
    )
    attention: bool = Field(
        default=False, description="self-attention within the feature maps of both networks"
    )
    patch: int = Field(
        default=1,
        ge=1,
        le=16,
        description="side of the squares of pixels that conv reads and writes as one place",
    )
    units: int = Field(
        default=256, ge=1, le=8192, description="units of the LSTM's state; recurrent alone"
    )
    conditional: bool = Field(
        default=False, description="whether both networks are given the label of the image"
    )
    mean_norm: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="γ of batch normalisation of the posterior mean, which holds the KL of each "
        "dimension at γ²/2 or more; 0: none",
    )
    binarise: Literal["none", "static"] = Field(
        default="none", description="static: images are made black and white once; bernoulli alone"
    )
    binarise_seed: int = Field(
        default=0, ge=0, lt=2**63, description="of that one draw; part of what is modelled"
    )
    second_stage_width: int = Field(
        default=512, ge=1, le=8192, description="units of the two_stage sampler's hidden layers"
    )

    @property
    def likelihood_suffix(self) -> str:
        """How the names of its likelihood's figures end: only like ones are compared."""
        if self.likelihood == "gaussian":
            return "_density"
        return "_binary" if self.binarise == "static" else ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.attention and self.network == "mlp":
            raise ValueError(
                "attention looks from place to place, and network 'mlp' keeps no places (its maps "
                "are 1×1); use network 'conv' or 'recurrent', or set attention to false"
            )
        if self.patch > 1 and self.network != "conv":
            raise ValueError(
                f"patch is {self.patch}, and network '{self.network}' reads single pixels; use "
                "network 'conv', or set patch to 1"
            )
        if self.binarise == "static" and self.likelihood != "bernoulli":
            raise ValueError(
                f"binarise is 'static', but likelihood '{self.likelihood}' is of grey levels; use "
                "likelihood 'bernoulli', or set binarise to 'none'"
            )
        if len(set(self.samplers)) < len(self.samplers):
            raise ValueError("samplers names one twice; name each once")
        return self


class Train(Section):
    """Maximising the evidence lower bound, then fitting the latent samplers."""

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
    gmm_draws: int = Field(
        ge=1, le=100, description="posterior draws an image that gmm and two_stage are fitted to"
    )
    gmm_regularisation: float = Field(
        gt=0, le=1, description="added to the diagonal of each covariance of the gmm"
    )
    gmm_most: int = Field(
        default=1_000_000, ge=1, le=100_000_000, description="most images the gmm is fitted to"
    )
    second_stage_steps: int = Field(
        default=2000, ge=1, le=10_000_000, description="optimiser steps of the two_stage sampler"
    )
