"""Estimates on a shared axis from zero: a dot with its interval each, a dashed line for a floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genline.reporting.tables import Cell, cell, common


@dataclass(frozen=True)
class Dot:
    """Positions are per cent of the axis."""

    label: str
    note: str
    cell: Cell
    at: float
    low: float
    high: float
    colour: int  # 0 for a baseline, else the series colour


@dataclass(frozen=True)
class Dots:
    title: str
    unit: str
    better: str
    dots: tuple[Dot, ...]
    floor: float | None  # per cent of the axis
    floor_text: str


Entry = tuple[str, str, Mapping[str, Any], int]  # label, note, metric, colour


def dot_chart(entries: Sequence[Entry], floor: float | None, floor_text: str) -> Dots | None:
    """A chart of metrics of the same meaning; None where there is nothing to show."""
    if not entries:
        return None
    values = [v for _, _, m, _ in entries for v in (m["value"], m["low"], m["high"])]
    if floor is not None:
        values.append(floor)
    start, end = min(0.0, *values), max(values)
    span = float(end - start) * 1.04 or 1.0

    def position(value: float) -> float:
        return round(100 * float(value - start) / span, 2)

    first = entries[0][2]
    return Dots(
        title=common([m["title"] for _, _, m, colour in entries if colour] or [first["title"]]),
        unit=first["unit"],
        better=first["better"],
        dots=tuple(
            Dot(
                label,
                note,
                cell(metric),
                position(metric["value"]),
                position(metric["low"]),
                position(metric["high"]),
                colour,
            )
            for label, note, metric, colour in entries
        ),
        floor=None if floor is None else position(floor),
        floor_text=floor_text,
    )
