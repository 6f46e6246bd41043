"""The text VAE: posterior, likelihood and samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from genline.data.prepared import TextSpec
from genline.models.base import TextModel, VariationalModel
from genline.models.networks.decoding import decode_texts
from genline.models.networks.posterior_norm import PosteriorNorm
from genline.models.networks.strategy import ANCESTRAL, Strategy
from genline.models.text_vae.config import Model
from genline.models.text_vae.networks import make_decoder, make_encoder


class TextVAE(TextModel, VariationalModel):
    """Bowman et al. 2016: an encoder, a decoder and a Gaussian latent between them.

    Both read tokens through one embedding, which is the output layer too. A sample is drawn
    token by token from p(x|z) at z ~ N(0, I).
    """

    variants: ClassVar[tuple[str, ...]] = ("prior",)

    def __init__(self, model: Model, spec: TextSpec) -> None:
        super().__init__()
        self.latent, self.spec = model.latent, spec
        self.encoder = make_encoder(model, spec)
        self.heads = nn.Linear(self.encoder.features, 2 * model.latent)
        self.norm = PosteriorNorm(model.latent, model.batch_norm) if model.batch_norm else None
        self.decoder = make_decoder(model, spec)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each float32 (batch, latent); x int64, padded."""
        mean, log_variance = self._heads(x)
        return mean if self.norm is None else self.norm(mean), log_variance

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder(self.decoder.embed(x.T), x)
        mean, log_variance = self.heads(features).float().chunk(2, -1)
        return mean, log_variance

    def take_statistics(self, batches: Iterable[Tensor]) -> None:
        """Norm posterior means by what they are over ``batches`` of x; nothing without a norm."""
        if self.norm is not None:
            self.norm.take_statistics(torch.cat([self._heads(x)[0] for x in batches]))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats: (batch,), or (draws, batch) for z of (draws, batch, latent)."""
        return self.decoder.log_likelihood(x, z)

    def decode(
        self,
        z: Tensor,
        generator: torch.Generator,
        temperature: float = 1.0,
        strategy: Strategy = ANCESTRAL,
    ) -> Tensor:
        """Texts from p(x|z) by ``strategy``, int64 (batch, at most max_tokens + 1), in the order
        of z (batch, latent)."""
        # z stands beside the state, as a part of it: a search that reorders rows takes it along.
        return decode_texts(
            self._step,
            (z[None], *self.decoder.start(len(z), z)),
            len(z),
            self.spec.max_tokens,
            generator,
            temperature,
            strategy,
            z.device,
        )

    def _step(self, tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        z, *rest = state
        logits, left = self.decoder.step(tokens, tuple(rest), z[0])
        return logits, (z, *left)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
        strategy: Strategy = ANCESTRAL,
    ) -> Tensor:
        self.check_variant(variant)
        z = torch.randn(count, self.latent, generator=generator, device=generator.device)
        return self.decode(z.to(self.decoder.bias.device), generator, temperature, strategy)
