"""Image VAEs: encoders and decoders, likelihoods of grey levels, and latent samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genline.data.prepared import ImageSpec, Spec
from genline.models.image_vae.config import Model

if TYPE_CHECKING:
    from genline.models.image_vae.model import ImageVAE


def build(model: Model, spec: Spec) -> ImageVAE:
    """An untrained :class:`ImageVAE` for images of ``spec``.

    Raises ModelError, saying what would work, when ``spec`` is of texts, or its images are too
    small, have too many levels for the likelihood, or lack the labels that ``model`` wants.
    """
    from genline.core.errors import ModelError
    from genline.models.image_vae.model import ImageVAE

    if not isinstance(spec, ImageSpec):
        raise ModelError("family 'image_vae' models images, but the dataset holds texts")
    return ImageVAE(model, spec)
