"""Encoders and decoders of image VAEs. Another pair is another entry of ``NETWORKS``."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from torch import Tensor, nn

from genline.core.errors import ModelError
from genline.data.prepared import ImageSpec
from genline.models.image_vae.config import Model
from genline.models.networks.residual import ResidualBlock, resolutions, upsample

_SMALLEST = 8


class ConvEncoder(nn.Module):
    """Residual blocks at each resolution with strided convolutions between, then one linear map."""

    def __init__(self, model: Model, spec: ImageSpec) -> None:
        super().__init__()
        sizes = resolutions(spec.height, spec.width)
        widths = [model.width * 2**i for i in range(len(sizes))]
        layers: list[nn.Module] = [nn.Conv2d(spec.channels, widths[0], 3, padding=1)]
        for i, width in enumerate(widths):
            if i:
                layers.append(nn.Conv2d(widths[i - 1], width, 3, stride=2, padding=1))
            layers += [ResidualBlock(width) for _ in range(model.blocks)]
        self.body = nn.Sequential(*layers, nn.SiLU(), nn.Flatten())
        self.head = nn.Linear(widths[-1] * sizes[-1][0] * sizes[-1][1], 2 * model.latent)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) in [−1, 1] to (batch, 2 · latent)."""
        return cast(Tensor, self.head(self.body(x)))


class ConvDecoder(nn.Module):
    """The encoder in reverse, with nearest-neighbour upsampling between resolutions."""

    def __init__(self, model: Model, spec: ImageSpec, outputs: int) -> None:
        super().__init__()
        self.sizes = resolutions(spec.height, spec.width)[::-1]
        widths = [model.width * 2**i for i in range(len(self.sizes))][::-1]
        self.bottom = (widths[0], *self.sizes[0])
        self.stem = nn.Linear(model.latent, widths[0] * self.sizes[0][0] * self.sizes[0][1])
        self.stages = nn.ModuleList()
        for i, width in enumerate(widths):
            layers: list[nn.Module] = []
            if i:
                layers.append(nn.Conv2d(widths[i - 1], width, 3, padding=1))
            layers += [ResidualBlock(width) for _ in range(model.blocks)]
            self.stages.append(nn.Sequential(*layers))
        self.head = nn.Sequential(
            nn.SiLU(), nn.Conv2d(widths[-1], spec.channels * outputs, 3, padding=1)
        )

    def forward(self, z: Tensor) -> Tensor:
        """(batch, latent) to (batch, channels · outputs, height, width)."""
        h = self.stem(z).reshape(-1, *self.bottom)
        for i, (stage, size) in enumerate(zip(self.stages, self.sizes, strict=True)):
            h = stage(upsample(h, size) if i else h)
        return cast(Tensor, self.head(h))


class Network(NamedTuple):
    """How to make the two halves; a decoder gives ``outputs`` parameters for each value."""

    encoder: Callable[[Model, ImageSpec], nn.Module]
    decoder: Callable[[Model, ImageSpec, int], nn.Module]


NETWORKS: dict[str, Network] = {"conv": Network(ConvEncoder, ConvDecoder)}


def make_networks(model: Model, spec: ImageSpec, outputs: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder. Raises ModelError for images smaller than 8×8."""
    if min(spec.height, spec.width) < _SMALLEST:
        raise ModelError(
            f"network '{model.network}' needs images of at least {_SMALLEST}×{_SMALLEST}; "
            f"these are {spec.height}×{spec.width}"
        )
    network = NETWORKS[model.network]
    return network.encoder(model, spec), network.decoder(model, spec, outputs)
