"""The parameters of a hybrid: its autoencoder (``model``) and its training (``train``)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section

Network = Literal["mlp", "conv", "residual"]


class Model(Section):
    """Encoder and decoder, which are kept."""

    network: Network = Field(
        description="mlp: layers on the flattened image; conv: strided convolutions, as DCGAN; "
        "residual: convolutions in residual blocks"
    )
    latent: int = Field(ge=1, le=4096, description="dimensions of z")
    width: int = Field(
        ge=1, le=8192, description="units of a hidden layer; channels of the first convolutions"
    )
    layers: int = Field(
        ge=1, le=16, description="hidden layers, or residual blocks a size; not of conv"
    )
    norm: Literal["batch", "none"] = Field(
        default="batch", description="of the decoder's feature maps; not of mlp"
    )


class Discriminator(Section):
    """What tells latents (adversarial_autoencoder) or images (vae_gan) apart; discarded."""

    network: Network = Field(
        default="mlp", description="of images; of latents it is always layers, as mlp"
    )
    width: int = Field(
        ge=1, le=8192, description="units of a hidden layer; channels of the first convolutions"
    )
    layers: int = Field(
        ge=1, le=16, description="hidden layers, or residual blocks a size; not of conv"
    )
    norm: Literal["none", "spectral"] = Field(
        default="none", description="normalisation: none, or of the weights' spectra"
    )


class Train(Section):
    """Reconstruction against an adversary."""

    steps: int = Field(ge=1, le=10_000_000, description="steps; each updates all networks once")
    batch: int = Field(ge=2, le=65_536, description="images a step")
    objective: Literal["adversarial_autoencoder", "vae_gan"] = Field(
        description="adversarial_autoencoder: the adversary sees latents; vae_gan: it sees images"
    )
    discriminator: Discriminator = Field(description="the adversary's network")
    adversarial: float = Field(
        ge=0, le=1000, description="weight of deceiving the adversary; reconstruction's is 1"
    )
    beta: float = Field(
        default=1.0, ge=0, le=100, description="weight of the KL term; of vae_gan alone"
    )
    learning_rate: float = Field(gt=0, le=1, description="rate of Adam in all networks")
    discriminator_learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="that of the adversary where it is another"
    )
    decay: float = Field(ge=0, le=1, description="last share of the steps in which it falls to 0")
    beta1: float = Field(ge=0, lt=1, description="Adam's decay of the first moment")
    beta2: float = Field(ge=0, lt=1, description="Adam's decay of the second moment")
    ema: float = Field(ge=0, lt=1, description="decay of the averaged weights that are kept")
    validate_every: int = Field(
        ge=1, le=10_000_000, description="steps between measures of the distance"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.objective == "adversarial_autoencoder" and self.discriminator.network != "mlp":
            raise ValueError(
                f"discriminator.network is '{self.discriminator.network}', but the adversary of "
                "'adversarial_autoencoder' sees latents, which are no images; use network: mlp, "
                "or objective: vae_gan"
            )
        if self.objective == "adversarial_autoencoder" and self.beta != 1.0:
            raise ValueError(
                f"beta is {self.beta:g}, the weight of a KL term that 'adversarial_autoencoder' "
                "does not have; use adversarial, which weighs what stands in its place, and leave "
                "beta out"
            )
        return self
