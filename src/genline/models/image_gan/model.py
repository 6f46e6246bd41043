"""The image GAN as it is kept: a generator, and samples from it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from genline.core.errors import ModelError
from genline.data.prepared import ImageSpec
from genline.models.base import GenerativeModel, check_labels
from genline.models.image_gan.codes import code_values, draw_codes, set_code
from genline.models.image_gan.config import Model
from genline.models.image_gan.generators import GENERATORS
from genline.models.networks.pixels import quantise

_CHUNK = 1024  # images generated at once; bounds memory whatever the count


class ImageGAN(GenerativeModel):
    """Goodfellow et al. 2014: x = G(z), z ~ N(0, I), quantised to grey levels by a fixed range.

    A class-conditional one (Mirza & Osindero 2014) keeps the shares of the training labels, by
    which it draws a class for each sample that none is asked for. With ``keep_last`` a second
    generator holds the state in which training ended, the variant ``last``.
    """

    variants: ClassVar[tuple[str, ...]] = ("model",)

    def __init__(self, model: Model, spec: ImageSpec) -> None:
        super().__init__()
        if model.conditional and not spec.classes:
            raise ModelError("model.conditional is true, but the data have no labels")
        self.latent, self.codes, self.spec = model.latent, model.codes, spec
        self.classes = spec.classes if model.conditional else 0
        self.generator = GENERATORS[model.network](model, spec)
        self.last = copy.deepcopy(self.generator).requires_grad_(False) if model.keep_last else None
        if model.keep_last:
            self.variants = ("model", "last")  # type: ignore[misc]  # its parameters say which
        if self.classes:
            self.register_buffer("class_shares", torch.full((self.classes,), 1.0 / self.classes))

    def draw_noise(self, count: int, generator: torch.Generator) -> Tensor:
        """float32 (count, latent + codes), on the device of ``generator``."""
        device = generator.device
        z = torch.randn(count, self.latent, generator=generator, device=device)
        if not self.codes.size:
            return z
        return torch.cat([z, draw_codes(self.codes, count, generator)], 1)

    def draw_labels(self, count: int, generator: torch.Generator) -> Tensor:
        """int64 (count,), on the device of ``generator``: classes by their shares in training."""
        shares = self.get_buffer("class_shares").double().cpu()
        ends = (shares.cumsum(0) / shares.sum())[:-1].to(generator.device)
        drawn = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64)
        return torch.searchsorted(ends, drawn, right=True)

    def code_values(self, code: int) -> list[float]:
        """As :class:`genline.models.base.Coded` says."""
        return code_values(self.codes, code)

    def generate(
        self, noise: Tensor, labels: Tensor | None = None, variant: str = "model"
    ) -> Tensor:
        """Pixels in (−1, 1), (batch, channels, height, width).

        noise: of :meth:`draw_noise`; labels: int64 (batch,), wanted of a conditional model.
        """
        if labels is not None:
            noise = torch.cat([noise, one_hot(labels, self.classes)], 1)
        generator = self.last if variant == "last" else self.generator
        assert generator is not None
        images: Tensor = generator(noise, labels)
        return images

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
        labels: Tensor | None = None,
        fixed: Mapping[int, float] | None = None,
    ) -> Tensor:
        """As every model's.

        labels: int64 (count,), of a conditional model: the class of each; fixed: the values of
        codes by their number, all else of the noise being as it is without. Raises ModelError for
        labels and codes that the model does not know.
        """
        name = self.check_variant(variant)
        noise = self.draw_noise(count, generator)
        for code, value in (fixed or {}).items():
            set_code(noise[:, self.latent :], self.codes, code, value)
        if labels is not None:
            check_labels(labels, count, self.classes)
        elif self.classes:
            labels = self.draw_labels(count, generator)
        device = next(self.parameters()).device
        images = []
        for start in range(0, count, _CHUNK):
            part = slice(start, start + _CHUNK)
            told = None if labels is None else labels[part].to(device)
            pixels = self.generate(noise[part].to(device), told, name)
            images.append(quantise(pixels, self.spec.levels))
        return torch.cat(images)
