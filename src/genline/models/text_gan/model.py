"""The text GAN: its generator, and the control that it must be compared with."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from genline.data.prepared import TextSpec
from genline.models.base import TextModel
from genline.models.networks.decoding import decode_texts
from genline.models.networks.recurrent_decoder import LSTMDecoder
from genline.models.networks.strategy import ANCESTRAL, Strategy
from genline.models.text_gan.config import Model

GENERATORS = {"lstm": LSTMDecoder}


class TextGAN(TextModel):
    """A generator trained adversarially, beside the same network trained by likelihood alone.

    The generator is a language model: chance enters with each drawn token, so a noise vector
    would add nothing but a likelihood that cannot be computed (Yu et al. 2017, SeqGAN, has none
    either). ``control`` started from the same pretrained weights and took the same number of
    further steps of maximum likelihood.
    """

    variants: ClassVar[tuple[str, ...]] = ("generator", "control")

    def __init__(self, model: Model, spec: TextSpec) -> None:
        super().__init__()
        self.spec = spec
        make = GENERATORS[model.network]
        self.generator = make(spec.vocabulary, model.embedding, model.hidden)
        self.control = make(spec.vocabulary, model.embedding, model.hidden)

    def network(self, variant: str | None = None) -> LSTMDecoder:
        """The language model of ``variant``."""
        return self.control if self.check_variant(variant) == "control" else self.generator

    def log_probability(self, x: Tensor, variant: str | None = None) -> Tensor:
        """log p(x) in nats, float32 (batch,), end mark counted; x int64 (batch, length)."""
        return self.network(variant).log_likelihood(x)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
        strategy: Strategy = ANCESTRAL,
    ) -> Tensor:
        network = self.network(variant)
        return decode_texts(
            network.step,
            network.start(count),
            count,
            self.spec.max_tokens,
            generator,
            temperature,
            strategy,
            network.bias.device,
        )
