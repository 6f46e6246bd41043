"""Text GANs: generators with and without noise, discriminators, adversarial objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genline.data.prepared import Spec, TextSpec
from genline.models.text_gan.config import Model

if TYPE_CHECKING:
    from genline.models.text_gan.model import TextGAN


def build(model: Model, spec: Spec) -> TextGAN:
    """An untrained :class:`TextGAN` for texts of ``spec``; ModelError when it is of images."""
    from genline.core.errors import ModelError
    from genline.models.text_gan.model import LanguageModelGAN, TextGAN

    if not isinstance(spec, TextSpec):
        raise ModelError("family 'text_gan' models texts, but the dataset holds images")
    return TextGAN(model, spec) if model.latent else LanguageModelGAN(model, spec)
