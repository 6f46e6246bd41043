"""Image GANs: generators, discriminators, adversarial objectives and regularisers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genline.data.prepared import ImageSpec, Spec
from genline.models.image_gan.config import Model

if TYPE_CHECKING:
    from genline.models.image_gan.model import ImageGAN


def build(model: Model, spec: Spec) -> ImageGAN:
    """An untrained :class:`ImageGAN` for images of ``spec``; ModelError when it is of texts."""
    from genline.core.errors import ModelError
    from genline.models.image_gan.model import ImageGAN

    if not isinstance(spec, ImageSpec):
        raise ModelError("family 'image_gan' models images, but the dataset holds texts")
    return ImageGAN(model, spec)
