"""Dense encoder and decoder: Kingma & Welling 2014, appendix C."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from genline.models.image_vae.config import Model
from genline.models.image_vae.networks.geometry import Geometry
from genline.models.networks.mlp import mlp


class MLPEncoder(nn.Module):
    """``blocks`` hidden layers of ``width`` units on the flattened image."""

    def __init__(self, model: Model, geometry: Geometry) -> None:
        super().__init__()
        hidden = [model.width] * model.blocks
        self.body = mlp([geometry.planes * geometry.pixels, *hidden, 2 * geometry.latent])

    def forward(self, x: Tensor) -> Tensor:
        """(batch, planes, height, width) in [−1, 1] to (batch, 2 · latent)."""
        return cast(Tensor, self.body(x.flatten(1)))


class MLPDecoder(nn.Module):
    """The encoder's layers in reverse."""

    def __init__(self, model: Model, geometry: Geometry) -> None:
        super().__init__()
        hidden = [model.width] * model.blocks
        self.shape = (geometry.outputs, geometry.height, geometry.width)
        self.body = mlp([geometry.codes, *hidden, geometry.outputs * geometry.pixels])

    def forward(self, codes: Tensor) -> Tensor:
        """(batch, codes) to (batch, outputs, height, width)."""
        return cast(Tensor, self.body(codes)).reshape(len(codes), *self.shape)
