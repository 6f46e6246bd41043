"""Small bar charts of a column, as rectangles for an inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 48  # user units of the SVG's view box
_SHORTEST = 1.5  # a bin that holds anything is seen


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float


def bars(edges: Sequence[float], counts: Sequence[int]) -> list[Bar]:
    """One bar a bin that is not empty, its width true to its edges and its height to its count.

    edges: n + 1 ascending numbers; counts: n. No bars where the histogram is empty.
    """
    most = max(counts, default=0)
    if most == 0:
        return []
    span = edges[-1] - edges[0]
    made = []
    for index, count in enumerate(counts):
        if not count:
            continue
        if span > 0:
            left = WIDTH * (edges[index] - edges[0]) / span
            right = WIDTH * (edges[index + 1] - edges[0]) / span
        else:  # all values are equal
            left, right = 0.0, float(WIDTH)
        gap = 1.0 if right - left > 4 else 0.0
        height = max(_SHORTEST, HEIGHT * count / most)
        made.append(
            Bar(
                round(left, 2),
                round(HEIGHT - height, 2),
                round(max(0.5, right - left - gap), 2),
                round(height, 2),
            )
        )
    return made
