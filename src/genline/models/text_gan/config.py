"""The parameters of a text GAN: what it is (``model``) and how it is trained (``train``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genline.core.params import Section


class Model(Section):
    """The generator: a language model that begins at BOS and takes no noise vector."""

    network: Literal["lstm"] = Field(description="lstm: a recurrent language model")
    embedding: int = Field(ge=1, le=8192, description="dimensions of a token")
    hidden: int = Field(ge=1, le=8192, description="dimensions of the recurrent state")


class Discriminator(Section):
    """What tells real texts from generated ones."""

    network: Literal["lstm"] = Field(
        description="lstm: scores every prefix, starts as the generator"
    )
    learning_rate: float = Field(gt=0, le=1, description="rate of Adam")
    dropout: float = Field(ge=0, lt=1, description="share of embeddings and states dropped")


class Train(Section):
    """Maximum likelihood, then the adversarial phase, then its control."""

    pretrain_steps: int = Field(
        ge=1, le=10_000_000, description="steps of maximum likelihood before the GAN"
    )
    adversarial_steps: int = Field(
        ge=1,
        le=10_000_000,
        description="steps of the adversarial phase, and of its control after it",
    )
    batch: int = Field(ge=1, le=65_536, description="texts a step")
    learning_rate: float = Field(gt=0, le=1, description="peak rate of AdamW while pretraining")
    adversarial_learning_rate: float = Field(
        gt=0, le=1, description="peak rate of AdamW in the adversarial phase and in the control"
    )
    weight_decay: float = Field(ge=0, le=1, description="decoupled weight decay of AdamW")
    dropout: float = Field(ge=0, lt=1, description="share dropped while pretraining; none after")
    objective: Literal["reinforce", "gumbel"] = Field(
        description="reinforce: policy gradient; gumbel: straight-through, relativistic"
    )
    adversarial_weight: float = Field(
        ge=0, le=1_000_000, description="weight of the adversarial loss"
    )
    likelihood_weight: float = Field(
        ge=0, le=1_000_000, description="weight of maximum likelihood beside it (the anchor)"
    )
    discount: float = Field(ge=0, le=1, description="reinforce: γ of the rewards that follow")
    inverse_temperature: float = Field(
        ge=1,
        le=1_000_000,
        description="gumbel: 1 / temperature at the end of the phase; it grows from 1",
    )
    discriminator: Discriminator
    clip: float = Field(gt=0, description="largest norm of a gradient")
    ema: float = Field(ge=0, lt=1, description="decay of the averaged weights that are kept")
    validate_every: int = Field(
        ge=1, le=10_000_000, description="steps between validations; the best is kept"
    )
    validate_texts: int = Field(
        ge=1, le=10_000_000, description="texts of the validation split whose likelihood is scored"
    )
    validate_samples: int = Field(
        ge=2,
        le=1_000_000,
        description="most texts of the validation split that as many samples are held against",
    )
