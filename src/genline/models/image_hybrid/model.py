"""A hybrid as it is kept: an encoder, a decoder, and samples from the prior."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from genline.data.prepared import ImageSpec
from genline.models.base import GenerativeModel
from genline.models.image_hybrid.config import Model
from genline.models.networks.image_decoders import ConvDecoder, MLPDecoder, ResidualDecoder
from genline.models.networks.image_encoders import image_encoder
from genline.models.networks.pixels import normalise, quantise

_CHUNK = 1024  # images decoded at once; bounds memory whatever the count


class ImageHybrid(GenerativeModel):
    """An autoencoder whose latents follow N(0, I): z is drawn from it and decoded.

    It has no likelihood of pixels: an adversary, not a density, shaped its images (Larsen et al.
    2016) or its latents (Makhzani et al. 2016).
    """

    variants: ClassVar[tuple[str, ...]] = ("prior",)

    def __init__(self, model: Model, spec: ImageSpec) -> None:
        super().__init__()
        self.latent, self.spec = model.latent, spec
        self.encoder = image_encoder(model.network, spec.shape, model.width, model.layers)
        self.to_posterior = nn.Linear(cast(int, self.encoder.features), 2 * model.latent)
        self.decoder = _decoder(model, spec)

    def posterior(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each (batch, latent); pixels in [−1, 1]."""
        mean, log_variance = self.to_posterior(self.encoder(pixels)).chunk(2, 1)
        return mean, log_variance

    def generate(self, z: Tensor) -> Tensor:
        """Pixels in (−1, 1), (batch, channels, height, width), of z (batch, latent)."""
        return cast(Tensor, self.decoder(z))

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """The mean of q(z|x), (batch, latent), of uint8 (batch, channels, height, width)."""
        return self.posterior(normalise(images, self.spec.levels))[0]

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """uint8 (batch, channels, height, width) of z (batch, latent)."""
        parts = [self.generate(part) for part in torch.split(z, _CHUNK)]
        return quantise(torch.cat(parts), self.spec.levels)

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        self.check_variant(variant)
        z = torch.randn(count, self.latent, generator=generator, device=generator.device)
        return self.decode(z.to(next(self.parameters()).device))


def _decoder(model: Model, spec: ImageSpec) -> nn.Module:
    if model.network == "mlp":
        return MLPDecoder(model.latent, spec.shape, model.width, model.layers)
    if model.network == "conv":
        return ConvDecoder(model.latent, spec.shape, model.width, model.norm)
    return ResidualDecoder(model.latent, spec.shape, model.width, model.layers, model.norm)
