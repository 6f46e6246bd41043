"""Networks that turn a vector into an image of any size: generators, and decoders.

All map (batch, ``inputs``) to pixels in (−1, 1), (batch, channels, height, width). With
``classes``, batch normalisation is conditional and ``forward`` wants labels int64 (batch,).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.models.networks.attention import SelfAttention2d
from genline.models.networks.batch_norm import class_norm
from genline.models.networks.image_encoders import Shape, stage_width
from genline.models.networks.mlp import mlp
from genline.models.networks.residual import resolutions, upsample


class MLPDecoder(nn.Module):
    """Leaky-ReLU layers, the last of which gives all pixels at once."""

    def __init__(self, inputs: int, shape: Shape, width: int, layers: int) -> None:
        super().__init__()
        self.shape = shape
        self.body = mlp([inputs, *[width] * layers, shape[0] * shape[1] * shape[2]])

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.tanh(self.body(x)).reshape(len(x), *self.shape)


class Doubling(nn.Module):
    """Features of twice the size, cropped to ``size``: a 4×4 transposed convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.convolution(x))[:, :, : self.size[0], : self.size[1]]


class ConvDecoder(nn.Module):
    """Transposed convolutions with batch normalisation, ReLUs and tanh: the generator of DCGAN.

    Radford et al. 2016, section 3 and figure 1, from the smallest of ``resolutions`` to the
    image's own size; sizes that halving rounded up are cropped. Weights start as N(0, 0.02²).
    """

    def __init__(
        self,
        inputs: int,
        shape: Shape,
        width: int,
        norm: str = "batch",
        attention: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.sizes = resolutions(height, breadth)[::-1]
        doublings = len(self.sizes) - 1
        widths = [stage_width(width, stage) for stage in range(max(1, doublings))][::-1]
        self.stem = nn.Linear(inputs, widths[0] * self.sizes[0][0] * self.sizes[0][1])
        self.norms = nn.ModuleList(class_norm(norm, w, classes) for w in widths)
        self.doublings = nn.ModuleList(
            Doubling(inside, outside, size)
            for inside, outside, size in zip(
                widths, [*widths[1:], channels], self.sizes[1:], strict=False
            )
        )
        # An image too small to be doubled is written at its own size.
        self.flat = None if doublings else nn.Conv2d(widths[0], channels, 3, padding=1)
        if norm == "batch":  # without, weights so small would pass on next to nothing
            for module in self.modules():
                if isinstance(module, nn.Linear | nn.ConvTranspose2d | nn.Conv2d):
                    nn.init.normal_(module.weight, std=0.02)
        self.attention = SelfAttention2d(widths[-1]) if attention else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.stem(x).reshape(len(x), -1, *self.sizes[0])
        for stage, norm in enumerate(self.norms):
            h = functional.relu(norm(h, labels))
            # The last features before the image: half its size, or its own where it is small.
            if self.attention is not None and stage == len(self.norms) - 1:
                h = self.attention(h)
            h = self.doublings[stage](h) if self.flat is None else self.flat(h)
        return torch.tanh(h)


class DoublingBlock(nn.Module):
    """A residual block of two convolutions that doubles the size, cropped to ``size``.

    The generator's block of Miyato et al. 2018, appendix B.4; ``size`` None keeps the size.
    """

    def __init__(
        self, inputs: int, outputs: int, norm: str, classes: int, size: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.size = size
        self.norm_1 = class_norm(norm, inputs, classes)
        self.norm_2 = class_norm(norm, outputs, classes)
        self.convolution_1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.convolution_2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self._larger(functional.relu(self.norm_1(x, labels)))
        h = functional.relu(self.norm_2(self.convolution_1(h), labels))
        # A 1×1 convolution and the doubling commute; the smaller map is the cheaper one.
        return cast(Tensor, self.convolution_2(h) + self._larger(self.skip(x)))

    def _larger(self, x: Tensor) -> Tensor:
        return x if self.size is None else upsample(x, self.size)


class ResidualDecoder(nn.Module):
    """``blocks`` residual blocks a resolution, the first of which doubles it; tanh at the end.

    The generator of Miyato et al. 2018, table 4, for any size.
    """

    def __init__(
        self,
        inputs: int,
        shape: Shape,
        width: int,
        blocks: int,
        norm: str = "batch",
        attention: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.sizes = resolutions(height, breadth)[::-1]
        doublings = len(self.sizes) - 1
        widths = [stage_width(width, stage) for stage in range(doublings + 1)][::-1]
        self.stem = nn.Linear(inputs, widths[0] * self.sizes[0][0] * self.sizes[0][1])
        body: list[nn.Module] = []
        here = max(0, doublings - 1)  # the stage of half the size, or the only one
        self.attends = -1
        for stage in range(max(1, doublings)):
            if attention and stage == here:
                self.attends = len(body)
            inside, outside = widths[stage], widths[min(stage + 1, doublings)]
            for block in range(blocks):
                size = self.sizes[stage + 1] if block == 0 and doublings else None
                body.append(DoublingBlock(inside, outside, norm, classes, size))
                inside = outside
        self.body = nn.ModuleList(body)
        self.attention = SelfAttention2d(widths[here]) if attention else None
        self.norm = class_norm(norm, widths[-1], classes)
        self.head = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        h = self.stem(x).reshape(len(x), -1, *self.sizes[0])
        for number, block in enumerate(self.body):
            if self.attention is not None and number == self.attends:
                h = self.attention(h)
            h = block(h, labels)
        return torch.tanh(self.head(functional.relu(self.norm(h, labels))))
