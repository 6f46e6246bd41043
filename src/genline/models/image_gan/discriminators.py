"""Discriminators, images to one logit each. Another one is another entry of ``DISCRIMINATORS``.

All map (batch, channels, height, width) in [−1, 1] to (batch,), larger for images taken as real.
They hold no batch normalisation: the gradient penalty needs a logit of one image alone.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from genline.data.prepared import ImageSpec
from genline.models.image_gan.config import Discriminator
from genline.models.networks.mlp import mlp


def mlp_discriminator(config: Discriminator, spec: ImageSpec) -> nn.Module:
    layers = mlp([spec.dimensions, *[config.width] * config.layers, 1])
    return nn.Sequential(nn.Flatten(), *layers, nn.Flatten(0))


DISCRIMINATORS: dict[str, Callable[[Discriminator, ImageSpec], nn.Module]] = {
    "mlp": mlp_discriminator,
}
