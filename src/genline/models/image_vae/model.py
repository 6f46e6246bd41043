"""The image VAE: posterior, likelihood and samples."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, cast

import torch
from torch import Tensor

from genline.core.errors import ModelError
from genline.data.prepared import ImageSpec
from genline.models.base import Modelled, VariationalModel, check_labels
from genline.models.image_vae.config import Model
from genline.models.image_vae.labels import Labels, require_labels
from genline.models.image_vae.likelihoods.bernoulli import Bernoulli
from genline.models.image_vae.likelihoods.registry import make_likelihood
from genline.models.image_vae.networks.geometry import Geometry
from genline.models.image_vae.networks.registry import make_networks
from genline.models.image_vae.samplers.mixture import ClassMixtures, GaussianMixture
from genline.models.image_vae.samplers.prior import draw_standard_normal
from genline.models.image_vae.samplers.second_stage import SecondStage
from genline.models.networks.pixels import normalise
from genline.models.networks.posterior_norm import PosteriorNorm

_CHUNK = 1024  # images decoded at once when sampling; bounds memory whatever the count


class ImageVAE(VariationalModel):
    """Kingma & Welling 2014 with a likelihood of grey levels and ex-post latent samplers.

    ``gmm`` draws z from a mixture fitted to the aggregate posterior after training (Ghosh et al.
    2020, section 4), ``two_stage`` from a second VAE of the latents (Dai & Wipf 2019), ``prior``
    from N(0, I). The pixels then are a draw from p(x|z), which is the model whose likelihood is
    reported, or its mean rounded to the nearest grey level, which is smoother than any real image;
    the parameter ``pixels`` says which.

    A class-conditional model (Sohn et al. 2015) is given the label y by both networks. Its x holds
    y (see :meth:`labelled`), and its log-likelihood is that of both, ln p(y) + ln p(x|y, z), so
    that its bounds are bounds of −ln p(x) too and stand beside those of a model without labels.
    """

    variants: ClassVar[tuple[str, ...]] = ("gmm", "prior")

    def __init__(self, model: Model, spec: ImageSpec) -> None:
        super().__init__()
        if model.conditional:
            require_labels(spec)
        self.latent, self.spec, self.pixels = model.latent, spec, model.pixels
        self.classes = spec.classes if model.conditional else 0
        self.variants = tuple(model.samplers)  # type: ignore[misc]  # its parameters say which
        self.likelihood = make_likelihood(model, spec.levels)
        geometry = Geometry(
            spec.height,
            spec.width,
            planes=spec.channels + (1 if self.classes else 0),
            latent=model.latent,
            codes=model.latent + self.classes,
            outputs=spec.channels * self.likelihood.outputs,
        )
        self.encoder, self.decoder = make_networks(model, geometry)
        self.mean_norm = PosteriorNorm(self.latent, model.mean_norm) if model.mean_norm else None
        self.labels = Labels(spec) if self.classes else None
        capacity = max(model.gmm_components)
        self.gmm: GaussianMixture | ClassMixtures | None = None
        if "gmm" in self.variants and self.classes:
            self.gmm = ClassMixtures(self.classes, capacity, model.latent)
        elif "gmm" in self.variants:
            self.gmm = GaussianMixture(capacity, model.latent)
        self.second_stage: SecondStage | None = None
        if "two_stage" in self.variants:
            self.second_stage = SecondStage(model.latent, self.classes, model.second_stage_width)

    @property
    def modelled(self) -> Modelled:
        of_image = self.likelihood.modelled
        if self.labels is None:
            return of_image
        both = (
            "Of the image and its label together, −ln p(x, y), which is a bound of −ln p(x) from "
            "above."
        )
        return replace(of_image, about=f"{of_image.about} {both}".lstrip())

    def labelled(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """x: the images (batch, channels, height, width), or with the label as a last plane.

        uint8, like the images; labels int64 (batch,). An item and its label so cannot come apart.
        """
        if self.labels is None:
            return images
        if labels is None:
            raise ModelError("the model is class-conditional: images want their labels")
        plane = labels.to(images)[:, None, None, None].expand(-1, 1, *images.shape[-2:])
        return torch.cat([images, plane], 1)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each float32 (batch, latent); x uint8 grey levels."""
        mean, log_variance = self.raw_posterior(x)
        return (mean if self.mean_norm is None else self.mean_norm(mean)), log_variance

    def raw_posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder gives, before the batch normalisation of the mean."""
        images, labels = self._parted(x)
        levels = self.spec.levels
        if isinstance(self.likelihood, Bernoulli):  # q(z|x) of what is modelled
            images, levels = self.likelihood.seen(images), 2
        seen = normalise(images, levels)
        if self.labels is not None and labels is not None:
            seen = torch.cat([seen, self.labels.plane(labels)], 1)
        mean, log_variance = self.encoder(seen).float().chunk(2, -1)
        return mean, log_variance

    def parameters_of(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder gives for z, and the images that are scored by it.

        (..., batch, channels · outputs, height, width) of z (..., batch, latent).
        """
        images, labels = self._parted(x)
        codes = self._codes(z, labels)
        parameters = self.decoder(codes.flatten(0, -2))
        return parameters.reshape(*z.shape[:-1], -1, *x.shape[-2:]), images

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats: (batch,), or (draws, batch) for z of (draws, batch, latent)."""
        found = self.likelihood.log_prob(*self.parameters_of(x, z))
        _, labels = self._parted(x)
        if self.labels is None or labels is None:
            return found
        return found + self.labels.log_frequency(labels)

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The rounded mean of p(x|z): uint8 (batch, channels, height, width).

        labels: int64 (batch,), of a class-conditional model.
        """
        mean = self.likelihood.mean(self.decoder(self._codes(z, labels)))
        return mean.float().round().to(torch.uint8)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
        labels: Tensor | None = None,
    ) -> Tensor:
        """As :meth:`GenerativeModel.sample` says; labels: int64 (count,), as ``classes`` allow.

        Raises ModelError for labels that the model does not know.
        """
        name = self.check_variant(variant)
        device = next(self.parameters()).device
        given = self._labels(count, labels, generator)
        z = self._latents(name, count, given, generator).to(device)
        parts = torch.split(self._codes(z, None if given is None else given.to(device)), _CHUNK)
        if self.pixels == "mean":
            means = [self.likelihood.mean(self.decoder(part)) for part in parts]
            return torch.cat([mean.float().round().to(torch.uint8) for mean in means])
        drawn = [self.likelihood.draw(self.decoder(part), generator) for part in parts]
        return torch.cat(drawn).to(device, torch.uint8)

    def _latents(
        self, name: str, count: int, labels: Tensor | None, generator: torch.Generator
    ) -> Tensor:
        """z of the sampler called ``name``: float32 (count, latent)."""
        if name == "gmm":
            if isinstance(self.gmm, ClassMixtures):
                return self.gmm.draw(cast(Tensor, labels), generator)
            return cast(GaussianMixture, self.gmm).draw(count, generator)
        if name == "two_stage":
            stage = cast(SecondStage, self.second_stage)
            nothing = torch.empty(count, 0, device=stage.log_scale.device)
            return stage.draw(self._codes(nothing, labels), generator)
        return draw_standard_normal(count, self.latent, generator)

    def _labels(
        self, count: int, labels: Tensor | None, generator: torch.Generator
    ) -> Tensor | None:
        """The labels to sample, on the generator's device; None of a model without."""
        if labels is not None:
            return check_labels(labels, count, self.classes).to(generator.device)
        return None if self.labels is None else self.labels.draw(count, generator)

    def _codes(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z (..., batch, latent) with its labels (batch,) beside it, as the decoder takes them."""
        if self.labels is None:
            return z
        if labels is None:
            raise ModelError("the model is class-conditional: z wants the labels of its images")
        codes = self.labels.codes(labels.to(z.device))
        return torch.cat([z, codes.expand(*z.shape[:-1], -1)], -1)

    def _parted(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The images of x and, of a class-conditional model, its int64 labels (batch,)."""
        if x.is_floating_point():
            raise ModelError(
                f"the images are {x.dtype}, and likelihoods are of whole grey levels: give uint8 "
                f"0 to {self.spec.levels - 1}"
            )
        return (x, None) if self.labels is None else (x[:, :-1], x[:, -1, 0, 0].long())
