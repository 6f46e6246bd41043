"""How texts are decoded from a next-token model; no torch here, since parameters are read by it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from genline.core.params import Section


class Strategy(Section):
    """Which tokens may be drawn, or whether the likeliest text is searched for instead.

    As they stand, the defaults draw from the model as it is: ancestral sampling.
    """

    top_k: int = Field(
        default=0,
        ge=0,
        le=65_536,
        description="tokens drawn among: the likeliest ones; 0: all",
    )
    top_p: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="nucleus: the fewest likeliest tokens of this probability; 1: all",
    )
    beams: int = Field(
        default=0,
        ge=0,
        le=64,
        description="texts searched side by side for the likeliest; 1: greedy; 0: drawn instead",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.beams and (self.top_k or self.top_p < 1):
            raise ValueError(
                f"beams is {self.beams}, which draws nothing; leave out top_k and top_p, or beams"
            )
        return self


class Decoding(Strategy):
    """A strategy with its temperature."""

    temperature: float = Field(
        default=1.0, ge=0.01, le=100, description="divides the logits of the next token"
    )

    @model_validator(mode="after")
    def _temperature_fits(self) -> Self:
        if self.beams and self.temperature != 1:
            raise ValueError(
                f"temperature is {self.temperature:g} but beams is {self.beams}, which draws "
                "nothing; leave out one"
            )
        return self

    @property
    def strategy(self) -> Strategy:
        return Strategy(top_k=self.top_k, top_p=self.top_p, beams=self.beams)


ANCESTRAL, PLAIN = Strategy(), Decoding()
