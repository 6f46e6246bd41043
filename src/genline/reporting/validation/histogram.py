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


def pairs(then: Sequence[int], now: Sequence[int]) -> list[tuple[Bar, Bar]]:
    """Two bars a bin, side by side: the share of the items before, and that of these.

    then, now: items in each of the same bins. Heights are of the largest share of both.
    """
    shares = [[count / max(sum(side), 1) for count in side] for side in (then, now)]
    most = max((share for side in shares for share in side), default=0.0)
    if most == 0:
        return []
    wide = WIDTH / len(then)
    width = min(wide * 0.42, 24.0)

    def bar(left: float, share: float) -> Bar:
        height = max(_SHORTEST, HEIGHT * share / most) if share else 0.0
        return Bar(round(left, 2), round(HEIGHT - height, 2), round(width, 2), round(height, 2))

    made = []
    for index, (p, q) in enumerate(zip(*shares, strict=True)):
        middle = wide * (index + 0.5)
        made.append((bar(middle - width, p), bar(middle, q)))
    return made
