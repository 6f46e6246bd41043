"""The networks by name. Another pair is a file and an entry here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from genline.core.errors import ModelError
from genline.models.image_vae.config import Model
from genline.models.image_vae.networks.conv import ConvDecoder, ConvEncoder
from genline.models.image_vae.networks.geometry import Geometry
from genline.models.image_vae.networks.mlp import MLPDecoder, MLPEncoder
from genline.models.image_vae.networks.recurrent import RecurrentDecoder, RecurrentEncoder

_PATCHES = 4  # least rows and columns of patches


class Network(NamedTuple):
    """How to make the two halves, and the least side of an image they take."""

    encoder: Callable[[Model, Geometry], nn.Module]
    decoder: Callable[[Model, Geometry], nn.Module]
    smallest: int


NETWORKS: dict[str, Network] = {
    "conv": Network(ConvEncoder, ConvDecoder, 8),
    "mlp": Network(MLPEncoder, MLPDecoder, 1),
    "recurrent": Network(RecurrentEncoder, RecurrentDecoder, 4),
}


def make_networks(model: Model, geometry: Geometry) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder. Raises ModelError for images that are too small for them."""
    network, sides = NETWORKS[model.network], (geometry.height, geometry.width)
    if min(sides) < network.smallest:
        fit = [name for name, other in NETWORKS.items() if min(sides) >= other.smallest]
        raise ModelError(
            f"network '{model.network}' needs images of at least {network.smallest}×"
            f"{network.smallest}; these are {sides[0]}×{sides[1]}: use network "
            f"{' or '.join(repr(name) for name in sorted(fit))}, or prepare larger images"
        )
    if model.patch > 1 and min(sides) < _PATCHES * model.patch:
        raise ModelError(
            f"patch is {model.patch}, which leaves images of {sides[0]}×{sides[1]} fewer than "
            f"{_PATCHES}×{_PATCHES} patches; use a patch of {min(sides) // _PATCHES} or less"
        )
    return network.encoder(model, geometry), network.decoder(model, geometry)
