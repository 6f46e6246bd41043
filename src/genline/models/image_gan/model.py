"""The image GAN as it is kept: a generator, and samples from it."""

from __future__ import annotations

import torch
from torch import Tensor

from genline.data.prepared import ImageSpec
from genline.models.base import GenerativeModel
from genline.models.image_gan.config import Model
from genline.models.image_gan.generators import GENERATORS
from genline.models.networks.pixels import quantise

_CHUNK = 1024  # images generated at once; bounds memory whatever the count


class ImageGAN(GenerativeModel):
    """Goodfellow et al. 2014: x = G(z), z ~ N(0, I), quantised to grey levels by a fixed range."""

    def __init__(self, model: Model, spec: ImageSpec) -> None:
        super().__init__()
        self.latent, self.spec = model.latent, spec
        self.generator = GENERATORS[model.network](model, spec)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        self.check_variant(variant)
        device = next(self.parameters()).device
        z = torch.randn(count, self.latent, generator=generator, device=generator.device)
        return torch.cat(
            [
                quantise(self.generator(part), self.spec.levels)
                for part in torch.split(z.to(device), _CHUNK)
            ]
        )
