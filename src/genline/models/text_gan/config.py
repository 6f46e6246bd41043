"""The parameters of a text GAN: what it is (``model``) and how it is trained (``train``)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section

ATTENDING = ("lstm", "gru", "recurrent")  # networks that attention over past states is for
NOISY = ("recurrent", "mlp")  # networks that read a noise vector
Width = Annotated[int, Field(ge=1, le=64)]
_WIDTHS = [3, 4, 5]


class Model(Section):
    """The generator: a language model that begins at BOS, or a network that also reads noise."""

    network: Literal["lstm", "gru", "transformer", "recurrent", "mlp"] = Field(
        description="lstm, gru or transformer: a language model; recurrent: an LSTM that reads "
        "noise at each step; mlp: dense, each place by the noise alone"
    )
    embedding: int = Field(ge=1, le=8192, description="dimensions of a token")
    hidden: int = Field(ge=1, le=8192, description="dimensions of the state, or width of the layer")
    layers: int = Field(
        default=1, ge=1, le=64, description="recurrent layers, or blocks of a transformer"
    )
    heads: int = Field(default=1, ge=1, le=64, description="heads of a transformer's attention")
    attention: bool = Field(
        default=False, description="lstm, gru and recurrent: also attends to its past states"
    )
    latent: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="dimensions of the noise of recurrent and mlp, one draw a text; else 0",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        network = self.network
        if network in NOISY and not self.latent:
            raise ValueError(
                f"latent is 0, but network {network} is driven by noise; use 8 or more, or "
                "network lstm, in which chance enters with each drawn token"
            )
        if network not in NOISY and self.latent:
            raise ValueError(
                f"latent is {self.latent}, but network {network} reads no noise: chance enters "
                "with each drawn token; leave it out, or use network recurrent"
            )
        if self.attention and network not in ATTENDING:
            raise ValueError(
                f"attention is for network {', '.join(ATTENDING)}, and this is {network}"
                f"{', which is made of it' * (network == 'transformer')}; leave it out"
            )
        if network == "mlp" and self.layers > 1:
            raise ValueError(
                f"layers is {self.layers}, but network mlp has one; leave it out, or widen hidden"
            )
        _check_heads(self.heads, network, self.hidden)
        return self


class Discriminator(Section):
    """What tells real texts from generated ones: of the generator's embedding and width."""

    network: Literal["lstm", "gru", "recurrent", "conv", "transformer"] = Field(
        description="lstm or gru: scores every prefix, starts as the generator; recurrent (a GRU "
        "each way), conv or transformer: scores whole texts"
    )
    layers: int = Field(
        default=1, ge=1, le=64, description="recurrent layers, or blocks of a transformer"
    )
    heads: int = Field(default=1, ge=1, le=64, description="heads of a transformer's attention")
    widths: list[Width] = Field(
        default=_WIDTHS,
        min_length=1,
        max_length=16,
        description="conv: the tokens that each kind of filter spans, each 1 to 64",
    )
    learning_rate: float = Field(gt=0, le=1, description="rate of Adam")
    dropout: float = Field(ge=0, lt=1, description="share of embeddings and states dropped")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.network == "conv" and self.layers > 1:
            raise ValueError(
                f"layers is {self.layers}, but network conv has one; leave it out, or add widths"
            )
        if self.network != "conv" and self.widths != _WIDTHS:
            raise ValueError(
                f"widths is {self.widths}, which only network conv has; leave it out, or use conv"
            )
        _check_heads(self.heads, self.network)
        return self

    @property
    def scores_prefixes(self) -> bool:
        """Whether every prefix is scored, and not the whole text alone."""
        return self.network in ("lstm", "gru")


def _check_heads(heads: int, network: str, width: int | None = None) -> None:
    if heads > 1 and network != "transformer":
        raise ValueError(f"heads is {heads}, which only network transformer has; leave it out")
    if width is not None and width % heads:
        raise ValueError(
            f"hidden is {width}, which {heads} heads cannot share; use a multiple, such as "
            f"{width - width % heads or heads}"
        )


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
    objective: Literal["reinforce", "gumbel", "feature_matching", "mle"] = Field(
        description="reinforce: policy gradient; gumbel: straight-through; feature_matching: the "
        "discriminator's features; mle: maximum likelihood, the control by itself"
    )
    relativistic: bool = Field(
        default=True, description="gumbel: a score is that above the other side's"
    )
    matching: Literal["mean", "mmd"] = Field(
        default="mean",
        description="feature_matching: of the mean, or of the distribution by a kernel",
    )
    adversarial_weight: float = Field(
        ge=0, le=1_000_000, description="weight of the adversarial loss"
    )
    likelihood_weight: float = Field(
        ge=0, le=1_000_000, description="weight of maximum likelihood beside it (the anchor)"
    )
    discount: float = Field(ge=0, le=1, description="reinforce: γ of the rewards that follow")
    baseline: float = Field(
        default=0.95, ge=0, lt=1, description="reinforce: decay of the mean return"
    )
    inverse_temperature: float = Field(
        ge=1,
        le=1_000_000,
        description="gumbel and feature_matching: 1 / temperature at the end of the phase; it "
        "grows from 1",
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
        le=10_000,
        description="most texts of the validation split that as many samples are held against",
    )
