"""Convolutions whose maps are read row by row by an LSTM, and the mirror of it as decoder."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from genline.models.image_vae.config import Model
from genline.models.image_vae.networks.conv import blocks
from genline.models.image_vae.networks.geometry import Geometry
from genline.models.networks.pyramid import pyramid, stride
from genline.models.networks.residual import upsample

_ROWS = 4  # least rows and columns of the map that the LSTM reads


class RecurrentEncoder(nn.Module):
    """Convolutions at full and at half resolution, then an LSTM down the rows of the map.

    Its last state, which has read every row, gives the posterior.
    """

    def __init__(self, model: Model, geometry: Geometry) -> None:
        super().__init__()
        full, reduced = _sizes(geometry)
        wide = 2 * model.width
        self.body = nn.Sequential(
            nn.Conv2d(geometry.planes, model.width, 3, padding=1),
            *blocks(model, model.width, attended=False),
            nn.Conv2d(model.width, wide, 3, stride=stride(full, reduced), padding=1),
            *blocks(model, wide, attended=True),
            nn.SiLU(),
        )
        self.rows = nn.LSTM(wide * reduced[1], model.units, batch_first=True)
        self.head = nn.Linear(model.units, 2 * geometry.latent)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, planes, height, width) in [−1, 1] to (batch, 2 · latent)."""
        # (batch, channels, rows, columns) → (batch, rows, channels · columns)
        rows = self.body(x).transpose(1, 2).flatten(2)
        states, _ = self.rows(rows)
        return cast(Tensor, self.head(states[:, -1]))


class RecurrentDecoder(nn.Module):
    """z is the first state of an LSTM and its input at every row; convolutions make the image."""

    def __init__(self, model: Model, geometry: Geometry) -> None:
        super().__init__()
        self.full, self.reduced = _sizes(geometry)
        wide = 2 * model.width
        self.state = nn.Linear(geometry.codes, model.units)
        self.rows = nn.LSTM(geometry.codes, model.units, batch_first=True)
        self.map = nn.Linear(model.units, wide * self.reduced[1])
        self.below = nn.Sequential(*blocks(model, wide, attended=True))
        self.above = nn.Sequential(
            nn.Conv2d(wide, model.width, 3, padding=1),
            *blocks(model, model.width, attended=False),
            nn.SiLU(),
            nn.Conv2d(model.width, geometry.outputs, 3, padding=1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        """(batch, codes) to (batch, outputs, height, width)."""
        rows, columns = self.reduced
        first = torch.tanh(self.state(codes))[None]
        repeated = codes[:, None].expand(-1, rows, -1)
        states, _ = self.rows(repeated, (first, torch.zeros_like(first)))
        # (batch, rows, channels · columns) → (batch, channels, rows, columns)
        h = self.map(states).reshape(len(codes), rows, -1, columns).transpose(1, 2)
        return cast(Tensor, self.above(upsample(self.below(h), self.full)))


def _sizes(geometry: Geometry) -> tuple[tuple[int, int], tuple[int, int]]:
    """The full size and that of the map the LSTM reads: half, but for sides too short to halve."""
    sizes = pyramid(geometry.height, geometry.width, smallest=_ROWS)
    return sizes[0], sizes[:2][-1]
