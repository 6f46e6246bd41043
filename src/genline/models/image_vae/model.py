"""The image VAE: posterior, likelihood and samples."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from genline.data.prepared import ImageSpec
from genline.models.base import VariationalModel
from genline.models.image_vae.config import Model
from genline.models.image_vae.likelihoods import LIKELIHOODS
from genline.models.image_vae.networks import make_networks
from genline.models.image_vae.samplers import GaussianMixture, draw_standard_normal
from genline.models.networks.pixels import normalise

_CHUNK = 1024  # images decoded at once when sampling; bounds memory whatever the count


class ImageVAE(VariationalModel):
    """Kingma & Welling 2014 with a discrete likelihood and an ex-post latent sampler.

    ``gmm`` draws z from a mixture fitted to the aggregate posterior after training (Ghosh et al.
    2020, section 4), ``prior`` from N(0, I). The pixels then are a draw from p(x|z), which is
    the model whose likelihood is reported, or its mean rounded to the nearest grey level, which
    is smoother than any real image; the parameter ``pixels`` says which.
    """

    variants: ClassVar[tuple[str, ...]] = ("gmm", "prior")

    def __init__(self, model: Model, spec: ImageSpec) -> None:
        super().__init__()
        self.latent, self.spec, self.pixels = model.latent, spec, model.pixels
        self.likelihood = LIKELIHOODS[model.likelihood]
        outputs = self.likelihood.outputs(spec.levels)
        self.encoder, self.decoder = make_networks(model, spec, outputs)
        self.gmm = GaussianMixture(max(model.gmm_components), model.latent)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each float32 (batch, latent); x uint8 grey levels."""
        mean, log_variance = self.encoder(normalise(x, self.spec.levels)).float().chunk(2, -1)
        return mean, log_variance

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats: (batch,), or (draws, batch) for z of (draws, batch, latent)."""
        parameters = self.decoder(z.flatten(0, -2)).reshape(*z.shape[:-1], -1, *x.shape[-2:])
        return self.likelihood.log_prob(parameters, x, self.spec.levels)

    def decode(self, z: Tensor) -> Tensor:
        """The rounded mean of p(x|z): uint8 (batch, channels, height, width)."""
        mean = self.likelihood.mean(self.decoder(z), self.spec.levels)
        return mean.float().round().to(torch.uint8)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        name = self.check_variant(variant)
        device = next(self.parameters()).device
        if name == "gmm":
            z = self.gmm.draw(count, generator)
        else:
            z = draw_standard_normal(count, self.latent, generator)
        parts = torch.split(z.to(device), _CHUNK)
        if self.pixels == "mean":
            return torch.cat([self.decode(part) for part in parts])
        levels, draw = self.spec.levels, self.likelihood.draw
        drawn = [draw(self.decoder(part), levels, generator) for part in parts]
        return torch.cat(drawn).to(device, torch.uint8)
