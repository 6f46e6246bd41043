"""Networks that read an image of any size into a vector of features: bodies of discriminators,
and encoders.

All map (batch, channels, height, width) in [−1, 1] to (batch, ``features``), and none knows what
becomes of its features. ``norm``, of networks with feature maps, is "none" or "batch"; spectral
normalisation is laid over a finished network by
:func:`genline.models.networks.spectral.normalise_spectra`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import torch.nn.functional as functional
from torch import Tensor, nn

from genline.models.networks.attention import SelfAttention2d
from genline.models.networks.residual import resolutions
from genline.models.networks.row_lstm import RowReader

Shape = tuple[int, int, int]  # channels, height, width
_WIDEST = 8  # times the width of the first stage


def stage_width(width: int, stage: int) -> int:
    """Channels after ``stage`` halvings: doubled at each of the first three."""
    return width * min(1 << stage, _WIDEST)


class MLPEncoder(nn.Module):
    """Leaky-ReLU layers on the flattened image."""

    def __init__(self, shape: Shape, width: int, layers: int) -> None:
        super().__init__()
        self.features = width
        body: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise([shape[0] * shape[1] * shape[2], *[width] * layers]):
            body.append(nn.Linear(inputs, outputs))
            body.append(nn.LeakyReLU(0.2))
        self.body = nn.Sequential(*body)

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.body(images))


class HalvingConvolution(nn.Module):
    """A 4×4 convolution of stride 2, to half the size rounded up; an odd side is padded by one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % 2 or width % 2:
            x = functional.pad(x, (0, width % 2, 0, height % 2))
        return cast(Tensor, self.convolution(x))


class ConvEncoder(nn.Module):
    """Strided convolutions with leaky ReLUs: the discriminator of DCGAN (Radford et al. 2016).

    Halves the image while both sides stay 4 or more; an image too small for that is convolved
    once at its own size. The first layer is never normalised (their section 3).
    """

    def __init__(
        self, shape: Shape, width: int, norm: str = "none", attention: bool = False
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        sizes = resolutions(height, breadth)
        halvings = len(sizes) - 1
        body: list[nn.Module] = [] if halvings else [nn.Conv2d(channels, width, 3, padding=1)]
        widths = [stage_width(width, stage) for stage in range(max(1, halvings))]
        for stage in range(halvings):
            inputs = widths[stage - 1] if stage else channels
            body.append(HalvingConvolution(inputs, widths[stage]))
            if norm == "batch" and stage:
                body.append(nn.BatchNorm2d(widths[stage]))
            body.append(nn.LeakyReLU(0.2))
            if attention and stage == 0:
                body.append(SelfAttention2d(widths[0]))
        if norm == "batch":
            for module in body:
                if isinstance(module, HalvingConvolution):
                    nn.init.normal_(module.convolution.weight, std=0.02)
        if not halvings:
            body.append(nn.LeakyReLU(0.2))
            if attention:
                body.append(SelfAttention2d(widths[0]))
        self.body = nn.Sequential(*body, nn.Flatten())
        self.features = widths[-1] * sizes[-1][0] * sizes[-1][1]

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.body(images))


class HalvingBlock(nn.Module):
    """A residual block of two convolutions that halves the size, rounding up, or keeps it.

    He et al. 2016b, as in the discriminator of Miyato et al. 2018, appendix B.4.
    """

    def __init__(self, inputs: int, outputs: int, norm: str, halve: bool, first: bool) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        batch = norm == "batch" and not first
        self.norm_1 = nn.BatchNorm2d(inputs) if batch else nn.Identity()
        self.norm_2 = nn.BatchNorm2d(outputs) if norm == "batch" else nn.Identity()
        self.convolution_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.convolution_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # Pixels are read as they are: a rectifier would cut the dark half of them.
        h = x if self.first else functional.leaky_relu(self.norm_1(x), 0.2)
        h = functional.leaky_relu(self.norm_2(self.convolution_1(h)), 0.2)
        h = self._smaller(self.convolution_2(h))
        return cast(Tensor, h + self.skip(self._smaller(x)))

    def _smaller(self, x: Tensor) -> Tensor:
        if not self.halve:
            return x
        return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


class ResidualEncoder(nn.Module):
    """``blocks`` residual blocks a resolution, the first of which halves it.

    The discriminator of Miyato et al. 2018, table 4, for any size. The last map is flattened, as
    that of Karras et al. 2020, where theirs is summed: in a small image it matters what is where.
    """

    def __init__(
        self, shape: Shape, width: int, blocks: int, norm: str = "none", attention: bool = False
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        sizes = resolutions(height, breadth)
        halvings = len(sizes) - 1
        body: list[nn.Module] = []
        inputs = channels
        for stage in range(max(1, halvings)):
            outputs = stage_width(width, stage)
            for block in range(blocks):
                halve = block == 0 and stage < halvings
                body.append(HalvingBlock(inputs, outputs, norm, halve, first=not body))
                inputs = outputs
            if attention and stage == 0:
                body.append(SelfAttention2d(inputs))
        self.body = nn.Sequential(*body, nn.LeakyReLU(0.2), nn.Flatten())
        self.features = inputs * sizes[-1][0] * sizes[-1][1]

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.body(images))


def image_encoder(
    network: str, shape: Shape, width: int, layers: int, norm: str = "none", attention: bool = False
) -> nn.Module:
    """The encoder called ``network``, an entry of ``ENCODERS``."""
    return ENCODERS[network](shape, width, layers, norm, attention)


ENCODERS: dict[str, Callable[[Shape, int, int, str, bool], nn.Module]] = {
    "mlp": lambda shape, width, layers, *_: MLPEncoder(shape, width, layers),
    "conv": lambda shape, width, _, norm, attention: ConvEncoder(shape, width, norm, attention),
    "residual": lambda shape, width, layers, norm, attention: ResidualEncoder(
        shape, width, layers, norm, attention
    ),
    "recurrent": lambda shape, width, layers, *_: RowReader(shape[2] * shape[0], width, layers),
}
