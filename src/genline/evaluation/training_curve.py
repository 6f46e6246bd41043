"""The record of a training, as the train stage writes it: one row every few steps."""

from __future__ import annotations

import csv
from pathlib import Path

from genline.core.errors import DataError


def read_curve(file: Path) -> dict[str, list[float]]:
    """The values of each column of ``reports/training/<experiment>.csv``, without empty cells.

    Raises DataError naming the file where it is missing or holds something else.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except FileNotFoundError:
        raise DataError(
            f"{file}: no such file; run `dvc repro`, which trains and writes it"
        ) from None
    curve: dict[str, list[float]] = {}
    try:
        for row in rows:
            for name, cell in row.items():
                if cell:
                    curve.setdefault(name, []).append(float(cell))
    except (TypeError, ValueError):
        raise DataError(f"{file}: holds a cell that is no number; run `dvc repro`") from None
    return curve
