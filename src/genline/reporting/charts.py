"""Line charts as inline SVG: the same bytes for the same figures, in the colours of the page.

matplotlib draws them with stand-in colours, each of which is then replaced by a CSS variable, so
that one drawing serves light and dark; text stays text, in the page's own font.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SERIES = 6  # colours there are in page.css
_INK, _SOFT, _LINE = "#010101", "#020202", "#030303"
_COLOURS = [f"#0405{i:02d}" for i in range(1, SERIES + 1)]
_VARIABLES = {_INK: "--ink", _SOFT: "--soft", _LINE: "--line"} | {
    colour: f"--series-{i}" for i, colour in enumerate(_COLOURS, start=1)
}
_SIZE = (4.0, 2.6)  # inches: about the width of a phone, so that text keeps its size there
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # the one font every matplotlib has: positions never differ
    "font.size": 8.5,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "text.color": _INK,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
}


@dataclass(frozen=True)
class Series:
    name: str
    points: Sequence[tuple[float, float]]
    sparse: bool = False  # few points, each marked


@dataclass(frozen=True)
class Point:
    """A point of a scatter chart; a label of '' is not drawn."""

    x: float
    y: float
    label: str


def lines(key: str, series: Sequence[Series], x_label: str, y_label: str) -> str:
    """Curves over a shared axis. ``key`` must be the drawing's own on its page."""

    def draw(axes: Axes) -> None:
        for index, one in enumerate(series):
            axes.plot(
                [x for x, _ in one.points],
                [y for _, y in one.points],
                color=_COLOURS[index % SERIES],
                marker="o" if one.sparse else None,
                markersize=2.6,
            )

    return _svg(key, draw, x_label, y_label)


def curve_and_points(
    key: str,
    curve: Sequence[Point],
    points: Sequence[Point],
    x_label: str,
    y_label: str,
) -> str:
    """A labelled curve (colour 1), and points to hold against it (colours 2, 3, …)."""

    def draw(axes: Axes) -> None:
        axes.plot(
            [p.x for p in curve], [p.y for p in curve], color=_COLOURS[0], marker="o", markersize=3
        )
        for index, p in enumerate(points, start=1):
            axes.plot(
                [p.x], [p.y], color=_COLOURS[index % SERIES], marker="D", markersize=6, ls="none"
            )
        for p, (right, up) in zip(curve, _beside(curve), strict=True):
            axes.annotate(
                p.label,
                (p.x, p.y),
                (19 * right, 10 * up),
                textcoords="offset points",
                ha="center",
                va="center",
                color=_SOFT,
                fontsize=7.5,
            )

    return _svg(key, draw, x_label, y_label)


def _beside(curve: Sequence[Point]) -> list[tuple[float, float]]:
    """For each point the direction, of length 1, in which a label is farthest from the curve."""
    spans = [max(v) - min(v) or 1.0 for v in ([p.x for p in curve], [p.y for p in curve])]
    found = []
    for index, p in enumerate(curve):
        ways = []
        for near in (*curve[max(0, index - 1) : index], *curve[index + 1 : index + 2]):
            x, y = (near.x - p.x) / spans[0], (near.y - p.y) / spans[1]
            length = math.hypot(x, y) or 1.0
            ways.append((x / length, y / length))
        x, y = -sum(x for x, _ in ways), -sum(y for _, y in ways)
        if math.hypot(x, y) < 0.2 and ways:  # on a straight line: beside it
            x, y = -ways[0][1], ways[0][0]
        length = math.hypot(x, y) or 1.0
        found.append((x / length, y / length))
    return found


def _svg(key: str, draw: Any, x_label: str, y_label: str) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    style: Any = {**_STYLE, "svg.hashsalt": key}  # without it ids are random
    with mpl.rc_context(style):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.margins(0.06)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        buffer = io.StringIO()
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return _themed(buffer.getvalue(), key)


def _themed(drawing: str, key: str) -> str:
    """``drawing`` as an element of a page: its own ids, CSS colours, no fixed size, no metadata."""
    drawing = drawing[drawing.index("<svg") :]
    for element in ("metadata", "style"):  # a style element would hold for the whole page
        drawing = re.sub(rf"<{element}.*?</{element}>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawing, count=1, flags=re.DOTALL)
    drawing = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", drawing, count=1, flags=re.DOTALL)
    drawing = drawing.replace("<svg ", '<svg class="chart" aria-hidden="true" ', 1)
    slug = re.sub(r"[^a-z0-9]+", "-", key.lower())
    drawing = re.sub(r'\bid="([^"]+)"', rf'id="{slug}-\1"', drawing)
    drawing = re.sub(r'href="#([^"]+)"', rf'href="#{slug}-\1"', drawing)
    drawing = re.sub(r"url\(#([^)]+)\)", rf"url(#{slug}-\1)", drawing)
    for colour, variable in _VARIABLES.items():
        drawing = drawing.replace(colour, f"var({variable})")
    return drawing.strip()
