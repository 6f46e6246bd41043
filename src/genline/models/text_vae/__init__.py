"""Text VAEs: an encoder, a latent and a decoder that reads it at every token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genline.data.prepared import Spec, TextSpec
from genline.models.text_vae.config import Model

if TYPE_CHECKING:
    from genline.models.base import VariationalModel


def build(model: Model, spec: Spec) -> VariationalModel:
    """An untrained text VAE for texts of ``spec``; ModelError when it is of images."""
    from genline.core.errors import ModelError
    from genline.models.text_vae.model import TextVAE

    if not isinstance(spec, TextSpec):
        raise ModelError("family 'text_vae' models texts, but the dataset holds images")
    return TextVAE(model, spec)
