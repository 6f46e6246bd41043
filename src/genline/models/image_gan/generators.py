"""Generators of images, z to pixels in (−1, 1). Another one is another entry of ``GENERATORS``.

All map z: (batch, inputs) to (batch, channels, height, width), where z holds the noise, the codes
and the class, one-hot; ``labels`` (batch,) are read by conditional batch normalisation alone. Those
that work row by row read an image as a sequence of ``height`` rows of ``width · channels`` values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.data.prepared import ImageSpec
from genline.models.image_gan.config import Model
from genline.models.networks.image_decoders import ConvDecoder, MLPDecoder, ResidualDecoder
from genline.models.networks.mlp import mlp
from genline.models.networks.row_lstm import RowWriter


def inputs(model: Model, spec: ImageSpec) -> int:
    """Values that the generator of ``model`` reads."""
    return model.latent + model.codes.size + (spec.classes if model.conditional else 0)


class RowGenerator(nn.Module):
    """z → a hidden layer → features of every row → a network over rows → the pixels of each row."""

    def __init__(self, model: Model, spec: ImageSpec, over_rows: nn.Module, features: int) -> None:
        super().__init__()
        self.spec = spec
        self.stem = mlp([inputs(model, spec), model.width, spec.height * model.row_width])
        self.over_rows = over_rows
        self.head = nn.Linear(features, spec.width * spec.channels)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        rows = functional.leaky_relu(self.stem(z), 0.2).reshape(len(z), self.spec.height, -1)
        return as_image(torch.tanh(self.head(self.over_rows(rows))), self.spec)


class FeedbackGenerator(nn.Module):
    """Noise for every row from z, then rows that each follow from the one before."""

    def __init__(self, model: Model, spec: ImageSpec) -> None:
        super().__init__()
        self.spec = spec
        self.stem = mlp([inputs(model, spec), model.width, spec.height * model.row_width])
        row = spec.width * spec.channels
        self.writer = RowWriter(model.row_width, row, model.width, model.layers)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        noise = functional.leaky_relu(self.stem(z), 0.2).reshape(len(z), self.spec.height, -1)
        return as_image(self.writer(noise), self.spec)


def as_image(pixels: Tensor, spec: ImageSpec) -> Tensor:
    """(batch, height, width · channels) to (batch, channels, height, width)."""
    image = pixels.reshape(len(pixels), spec.height, spec.width, spec.channels)
    return image.permute(0, 3, 1, 2)


class BidirectionalLSTM(nn.Module):
    """(batch, rows, width) to (batch, rows, 2 · width): each row sees those above and below."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, layers, batch_first=True, bidirectional=True)

    def forward(self, rows: Tensor) -> Tensor:
        return cast(Tensor, self.lstm(rows)[0])


class SelfAttention(nn.Module):
    """One transformer block before normalisation (Xiong et al. 2020), (batch, rows, width) to same.

    Positions need no code: the stem gives every row features of its own.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = mlp([width, 2 * width, width])

    def forward(self, rows: Tensor) -> Tensor:
        qkv = self.qkv(self.norm_attention(rows))
        # (batch, rows, 3 · width) → three of (batch, heads, rows, width / heads)
        q, k, v = qkv.reshape(*rows.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # Written out: the fused kernel's backward is not deterministic on every device.
        weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
        rows = rows + self.out((weights @ v).transpose(1, 2).flatten(2))
        return cast(Tensor, rows + self.mlp(self.norm_mlp(rows)))


def recurrent(model: Model, spec: ImageSpec) -> nn.Module:
    rows = BidirectionalLSTM(model.row_width, model.layers)
    return RowGenerator(model, spec, rows, 2 * model.row_width)


def attention(model: Model, spec: ImageSpec) -> nn.Module:
    width = model.row_width
    blocks = [SelfAttention(width, heads=4) for _ in range(model.layers)]
    return RowGenerator(model, spec, nn.Sequential(*blocks, nn.LayerNorm(width)), width)


def multilayer(model: Model, spec: ImageSpec) -> nn.Module:
    return MLPDecoder(inputs(model, spec), spec.shape, model.width, model.layers)


def conv(model: Model, spec: ImageSpec) -> nn.Module:
    return ConvDecoder(
        inputs(model, spec),
        spec.shape,
        model.width,
        model.norm,
        model.attention,
        _normed_classes(model, spec),
    )


def residual(model: Model, spec: ImageSpec) -> nn.Module:
    return ResidualDecoder(
        inputs(model, spec),
        spec.shape,
        model.width,
        model.layers,
        model.norm,
        model.attention,
        _normed_classes(model, spec),
    )


def _normed_classes(model: Model, spec: ImageSpec) -> int:
    """Classes that batch normalisation tells apart."""
    return spec.classes if model.conditional and model.norm == "batch" else 0


GENERATORS: dict[str, Callable[[Model, ImageSpec], nn.Module]] = {
    "recurrent": recurrent,
    "recurrent_feedback": FeedbackGenerator,
    "attention": attention,
    "mlp": multilayer,
    "conv": conv,
    "residual": residual,
}
