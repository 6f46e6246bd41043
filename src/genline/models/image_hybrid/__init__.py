"""Hybrids of autoencoder and GAN: adversarial autoencoders and VAE-GANs of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genline.data.prepared import ImageSpec, Spec
from genline.models.image_hybrid.config import Model

if TYPE_CHECKING:
    from genline.models.image_hybrid.model import ImageHybrid


def build(model: Model, spec: Spec) -> ImageHybrid:
    """An untrained :class:`ImageHybrid` for images of ``spec``; ModelError when it is of texts."""
    from genline.core.errors import ModelError
    from genline.models.image_hybrid.model import ImageHybrid

    if not isinstance(spec, ImageSpec):
        raise ModelError("family 'image_hybrid' models images, but the dataset holds texts")
    return ImageHybrid(model, spec)
