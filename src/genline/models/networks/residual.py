"""Residual convolutions for images of any size: blocks, and halving and doubling resolution."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), the pre-activation form of He et al. 2016b.

    The second convolution starts at zero, so a deep stack starts as the identity and trains
    without normalisation layers (Zhang et al. 2019, Fixup, section 3).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(cast(Tensor, self.second.bias))
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, height, width') to the same shape."""
        h = self.first(self.activation(x))
        return cast(Tensor, x + self.second(self.activation(h)))


def resolutions(height: int, width: int, smallest: int = 4) -> list[tuple[int, int]]:
    """Sizes from (height, width) down by halving, rounding up, while both stay ≥ ``smallest``.

    8×8 gives [(8, 8), (4, 4)]; 28×28 gives [(28, 28), (14, 14), (7, 7), (4, 4)].
    """
    sizes = [(height, width)]
    while min(half := ((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2)) >= smallest:
        sizes.append(half)
    return sizes


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Nearest-neighbour doubling of (batch, channels, h, w), cropped to ``size`` ≤ (2h, 2w).

    A side that ``size`` has already stays as it is. Written as a copy, whose gradient is a sum in
    a fixed order: deterministic on every device.
    """
    batch, channels, h, w = x.shape
    down, across = (1 if side == wanted else 2 for side, wanted in zip((h, w), size, strict=True))
    repeated = x[:, :, :, None, :, None].expand(batch, channels, h, down, w, across)
    return repeated.reshape(batch, channels, down * h, across * w)[:, :, : size[0], : size[1]]
