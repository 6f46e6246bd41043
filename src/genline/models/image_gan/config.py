"""The parameters of an image GAN: its generator (``model``) and its training (``train``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genline.core.params import Section


class Model(Section):
    """The generator, which is all that is kept."""

    network: Literal["recurrent", "attention", "mlp"] = Field(
        description="recurrent: an LSTM over rows; attention: self-attention over rows; mlp"
    )
    latent: int = Field(ge=1, le=4096, description="dimensions of z")
    width: int = Field(ge=1, le=8192, description="units of the hidden layers")
    row_width: int = Field(
        ge=4, le=4096, multiple_of=4, description="features of a row; not used by mlp"
    )
    layers: int = Field(ge=1, le=16, description="recurrent, attention or hidden layers")


class Discriminator(Section):
    """The network that tells real images from generated ones, discarded after training."""

    network: Literal["mlp"] = Field(description="mlp: leaky-ReLU layers on the flattened image")
    width: int = Field(ge=1, le=8192, description="units of a hidden layer")
    layers: int = Field(ge=1, le=16, description="hidden layers")


class Train(Section):
    """The adversarial game."""

    steps: int = Field(
        ge=1, le=10_000_000, description="steps; each updates discriminator and generator once"
    )
    batch: int = Field(
        ge=1, le=65_536, description="real images a step, and as many generated ones"
    )
    discriminator: Discriminator = Field(description="the discriminator's network")
    objective: Literal["non_saturating", "hinge"] = Field(description="the adversarial loss")
    r1_gamma: float = Field(ge=0, le=1000, description="weight of the gradient penalty; 0: none")
    r1_every: int = Field(ge=1, le=1000, description="steps between gradient penalties")
    learning_rate: float = Field(gt=0, le=1, description="rate of Adam in both networks")
    decay: float = Field(ge=0, le=1, description="last share of the steps in which it falls to 0")
    beta1: float = Field(ge=0, lt=1, description="Adam's decay of the first moment")
    beta2: float = Field(ge=0, lt=1, description="Adam's decay of the second moment")
    ema: float = Field(ge=0, lt=1, description="decay of the averaged generator that is kept")
    validate_every: int = Field(
        ge=1, le=10_000_000, description="steps between measures of the distance"
    )
