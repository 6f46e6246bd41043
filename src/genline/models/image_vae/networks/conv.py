"""Residual convolutional encoder and decoder, for images of any size from 8×8.

With ``patch`` p > 1 both work on squares of p×p pixels as so many channels of one place
(Shi et al. 2016, section 2.2), which costs p² times less at the resolution that costs most.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

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
        self.patch = model.patch
        sizes = pyramid(*patched(geometry, model.patch))
        widths = channels(model.width, len(sizes))
        planes = geometry.planes * model.patch**2
        layers: list[nn.Module] = [nn.Conv2d(planes, widths[0], 3, padding=1)]
        for i, (size, width) in enumerate(zip(sizes, widths, strict=True)):
            if i:
                by = stride(sizes[i - 1], size)
                layers.append(nn.Conv2d(widths[i - 1], width, 3, stride=by, padding=1))
            layers += blocks(model, width, attended=size == attended(sizes))
        self.body = nn.Sequential(*layers, nn.SiLU(), nn.Flatten())
        self.head = nn.Linear(widths[-1] * sizes[-1][0] * sizes[-1][1], 2 * geometry.latent)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, planes, height, width) in [−1, 1] to (batch, 2 · latent)."""
        if self.patch > 1:
            down, across = (-side % self.patch for side in x.shape[-2:])
            x = functional.pixel_unshuffle(functional.pad(x, (0, across, 0, down)), self.patch)
        return cast(Tensor, self.head(self.body(x)))


class ConvDecoder(nn.Module):
    """The encoder in reverse, with nearest-neighbour upsampling between resolutions."""

    def __init__(self, model: Model, geometry: Geometry) -> None:
        super().__init__()
        self.patch, self.size = model.patch, (geometry.height, geometry.width)
        sizes = pyramid(*patched(geometry, model.patch))
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
        outputs = geometry.outputs * model.patch**2
        self.head = nn.Sequential(nn.SiLU(), nn.Conv2d(widths[-1], outputs, 3, padding=1))

    def forward(self, codes: Tensor) -> Tensor:
        """(batch, codes) to (batch, outputs, height, width)."""
        h = self.stem(codes).reshape(-1, *self.bottom)
        for i, (stage, size) in enumerate(zip(self.stages, self.sizes, strict=True)):
            h = stage(upsample(h, size) if i else h)
        image: Tensor = self.head(h)
        if self.patch == 1:
            return image
        return functional.pixel_shuffle(image, self.patch)[:, :, : self.size[0], : self.size[1]]


def patched(geometry: Geometry, patch: int) -> Size:
    """Rows and columns of patches that cover an image, the last of them beyond its edge."""
    return -(-geometry.height // patch), -(-geometry.width // patch)


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
