"""The sizes of feature maps from an image of any shape down to a small one."""

from __future__ import annotations

Size = tuple[int, int]


def pyramid(height: int, width: int, smallest: int = 4) -> list[Size]:
    """Sizes from (height, width) down by halving, rounding up, each side that stays ≥ ``smallest``.

    A long image so ends as small as a square one: 8×8 gives [(8, 8), (4, 4)], 28×28 gives
    [(28, 28), (14, 14), (7, 7), (4, 4)] and 8×30 gives [(8, 30), (4, 15), (4, 8), (4, 4)].
    """
    sizes = [(height, width)]
    while (reduced := (_half(sizes[-1][0], smallest), _half(sizes[-1][1], smallest))) != sizes[-1]:
        sizes.append(reduced)
    return sizes


def stride(size: Size, following: Size) -> Size:
    """The strides of a convolution with padding that takes a map of ``size`` to ``following``."""
    return (1 if size[0] == following[0] else 2, 1 if size[1] == following[1] else 2)


def _half(side: int, smallest: int) -> int:
    half = (side + 1) // 2
    return half if half >= smallest else side
