"""Residual convolutional encoder and decoder, for images of any size from 8×8."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from genline.models.image_vae.config import Model
from genline.models.image_vae.networks.geometry import Geometry
from genline.models.networks.attention import SelfAttention2d
from genline.models.networks.pyramid import Size, pyramid, stride
from genline.models.networks.residual import ResidualBlock, upsample

_WIDEST = 8  # times ``width``: large images would otherwise end in thousands of channels
_ATTENDED = 256  # most positions of a map with attention, whose memory is their square


class ConvEncoder(nn.Module):
    """Residual blocks at each resolution with strided convolutions between, then one linear map."""

    def __init__(self, model: Model, geometry: Geometry) -> None:
        super().__init__()
        sizes = pyramid(geometry.height, geometry.width)
        widths = channels(model.width, len(sizes))
        layers: list[nn.Module] = [nn.Conv2d(geometry.planes, widths[0], 3, padding=1)]
        for i, (size, width) in enumerate(zip(sizes, widths, strict=True)):
            if i:
                by = stride(sizes[i - 1], size)
                layers.append(nn.Conv2d(widths[i - 1], width, 3, stride=by, padding=1))
            layers += blocks(model, width, attended=size == attended(sizes))
        self.body = nn.Sequential(*layers, nn.SiLU(), nn.Flatten())
        self.head = nn.Linear(widths[-1] * sizes[-1][0] * sizes[-1][1], 2 * geometry.latent)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, planes, height, width) in [−1, 1] to (batch, 2 · latent)."""
        return cast(Tensor, self.head(self.body(x)))


class ConvDecoder(nn.Module):
    """The encoder in reverse, with nearest-neighbour upsampling between resolutions."""

    def __init__(self, model: Model, geometry: Geometry) -> None:
        super().__init__()
        sizes = pyramid(geometry.height, geometry.width)
        self.sizes = sizes[::-1]
        widths = channels(model.width, len(sizes))[::-1]
        self.bottom = (widths[0], *self.sizes[0])
        self.stem = nn.Linear(geometry.codes, widths[0] * self.sizes[0][0] * self.sizes[0][1])
        self.stages = nn.ModuleList()
        for i, (size, width) in enumerate(zip(self.sizes, widths, strict=True)):
            layers: list[nn.Module] = []
            if i:
                layers.append(nn.Conv2d(widths[i - 1], width, 3, padding=1))
            layers += blocks(model, width, attended=size == attended(sizes))
            self.stages.append(nn.Sequential(*layers))
        self.head = nn.Sequential(nn.SiLU(), nn.Conv2d(widths[-1], geometry.outputs, 3, padding=1))

    def forward(self, codes: Tensor) -> Tensor:
        """(batch, codes) to (batch, outputs, height, width)."""
        h = self.stem(codes).reshape(-1, *self.bottom)
        for i, (stage, size) in enumerate(zip(self.stages, self.sizes, strict=True)):
            h = stage(upsample(h, size) if i else h)
        return cast(Tensor, self.head(h))


def channels(width: int, resolutions: int) -> list[int]:
    """Channels at each resolution, the full one first: doubling, to ``_WIDEST`` times at most."""
    return [width * min(2**i, _WIDEST) for i in range(resolutions)]


def attended(sizes: list[Size]) -> Size:
    """The largest of ``sizes`` that attention can afford, or the smallest there is."""
    return next((size for size in sizes if size[0] * size[1] <= _ATTENDED), sizes[-1])


def blocks(model: Model, width: int, attended: bool) -> list[nn.Module]:
    """The residual blocks of one resolution, with attention behind them where asked for."""
    layers: list[nn.Module] = [ResidualBlock(width) for _ in range(model.blocks)]
    return [*layers, SelfAttention2d(width)] if model.attention and attended else layers
