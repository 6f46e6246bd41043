"""The ``evaluate`` block of a text experiment in params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from genline.core.params import Section
from genline.evaluation.config import CommonHealth
from genline.models.networks.strategy import Decoding

Temperature = Annotated[float, Field(ge=0.01, le=10)]


class TextHealth(CommonHealth):
    """Limits beyond which a model of texts is not fit to be a champion."""

    unique: float = Field(default=0.8, ge=0, le=1, description="least share of samples that differ")
    distinct: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="least share of distinct 2-grams, as part of real texts' share",
    )
    copied: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="largest share of samples that stand in the training split",
    )


class EvaluateTexts(Section):
    """How a model of texts is judged."""

    samples: int = Field(
        default=3000,
        ge=50,
        le=1_000_000,
        description="texts drawn from each sampler, 50 or more, but no more than the training "
        "split has: as many of its texts give the floors",
    )
    ngram_order: int = Field(
        default=5,
        ge=1,
        le=8,
        description="tokens of the longest n-gram of the n-gram language models",
    )
    importance_samples: int = Field(
        default=32, ge=1, le=100_000, description="draws of z a text, for a VAE's likelihood"
    )
    temperatures: list[Temperature] = Field(
        default=[0.7, 0.85, 1.0, 1.15],
        min_length=1,
        description="temperatures at which a GAN's control is sampled, each 0.01 to 10",
    )
    decoding: Decoding = Field(
        default=Decoding(), description="how samples are drawn, or searched for"
    )
    shown: int = Field(default=100, ge=1, le=10_000, description="texts in a list of samples")
    health: TextHealth = TextHealth()
