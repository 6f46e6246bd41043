"""The text GAN: its generator, and the control that it must be compared with."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from genline.data.prepared import TextSpec
from genline.models.base import TextModel
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoding import decode_texts
from genline.models.networks.strategy import ANCESTRAL, Strategy
from genline.models.text_gan.config import Model
from genline.models.text_gan.generators import draw_noise, make_generator, reading


class TextGAN(TextModel):
    """A generator trained adversarially, beside the same network trained by likelihood alone.

    ``control`` started from the same pretrained weights and took the same number of further
    steps of maximum likelihood.

    With a ``latent`` the text depends on noise that its tokens alone do not tell, so its
    likelihood is an integral, of which nothing here gives a posterior to take it by. Averages
    over the prior are a bound too loose to stand beside other models' figures once the noise
    matters: a generator with noise has no likelihood here, as an image GAN has none.
    """

    variants: ClassVar[tuple[str, ...]] = ("generator", "control")

    def __init__(self, model: Model, spec: TextSpec) -> None:
        super().__init__()
        self.latent, self.spec = model.latent, spec
        self.generator = make_generator(model, spec)
        self.control = make_generator(model, spec)

    def network(self, variant: str | None = None) -> Decoder:
        """The network of ``variant``."""
        return self.control if self.check_variant(variant) == "control" else self.generator

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
        device = network.bias.device
        step, state = reading(network, count, draw_noise(self.latent, count, generator, device))
        longest = self.spec.max_tokens
        return decode_texts(step, state, count, longest, generator, temperature, strategy, device)


class LanguageModelGAN(TextGAN):
    """One whose generator is a language model: chance enters with each drawn token.

    A noise vector would add nothing but a likelihood that cannot be computed (Yu et al. 2017,
    SeqGAN, has none either).
    """

    def log_probability(self, x: Tensor, variant: str | None = None) -> Tensor:
        """log p(x) in nats, float32 (batch,), end mark counted; x int64 (batch, length)."""
        return self.network(variant).log_likelihood(x)
