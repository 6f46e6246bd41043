"""What a model's likelihood of each test item is, kept so that two models can be compared in pairs.

Two models scored on the same items share most of their error: a hard text is hard for both. The
figures item by item let a comparison resample the items once for both.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.evaluation.intervals import Statistic

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Size = Literal["tokens", "dimensions"]

# Every likelihood metric is a function of one column of nats; the longer names first, since a
# metric of another sampler ends in its name.
_COLUMNS = {
    "perplexity_bound": "elbo",
    "perplexity": "nll",
    "bits_per_dimension": "nll",
    "nll": "nll",
    "elbo": "elbo",
}
_INDEX = "item"
_SIZES: tuple[Size, ...] = ("tokens", "dimensions")


@dataclass(frozen=True)
class Items:
    """Nats of each of n test items, in the order of the test split.

    ``sizes``: int64 (n,), the tokens of each text, its end mark counted, or the dimensions of
    each image; ``nats``: float64 (n,) by column, −log p(x) or a bound of it: ``nll`` and ``elbo``,
    with the name of a sampler behind where it has a likelihood of its own. Empty for a model
    without a likelihood.
    """

    size: Size
    sizes: Ids
    nats: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sizes)

    def statistic(self, metric: str) -> Statistic | None:
        """``metric`` of the items at given indices; None where it is not kept here."""
        column = column_of(metric)
        if column is None or column not in self.nats:
            return None
        nats, sizes = self.nats[column], self.sizes
        if metric.startswith("perplexity"):
            return lambda chosen: math.exp(_per_size(nats, sizes, chosen))
        if metric.startswith("bits_per_dimension"):
            return lambda chosen: _per_size(nats, sizes, chosen) / math.log(2)
        return lambda chosen: float(nats[chosen].mean())

    def same_items(self, other: Items) -> bool:
        """Whether both are of the same items, as far as their sizes tell."""
        return self.size == other.size and np.array_equal(self.sizes, other.sizes)

    def to_csv(self) -> str:
        """One row an item: its index in the test split, its size, and the nats in full digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([_INDEX, self.size, *self.nats])
        columns = [values.tolist() for values in self.nats.values()]
        writer.writerows(zip(range(len(self)), self.sizes.tolist(), *columns, strict=True))
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str) -> Items:
        """What :meth:`to_csv` wrote. Raises ValueError where it is something else."""
        header, *rows = csv.reader(io.StringIO(text))
        if header[:1] != [_INDEX] or header[1:2] not in [[name] for name in _SIZES]:
            raise ValueError(f"wanted columns '{_INDEX}' and one of {_SIZES}, found {header[:2]}")
        if [row[0] for row in rows] != [str(index) for index in range(len(rows))]:
            raise ValueError(f"column '{_INDEX}' does not count the rows from 0")
        columns = list(zip(*rows, strict=True)) or [()] * len(header)
        nats = {
            name: np.array(column, np.float64)
            for name, column in zip(header[2:], columns[2:], strict=True)
        }
        size: Size = "tokens" if header[1] == "tokens" else "dimensions"
        return cls(size, np.array(columns[1], np.int64), nats)


def read_items(path: Path) -> Items:
    """The items in the file that ``evaluate`` wrote. Raises DataError naming it."""
    try:
        return Items.from_csv(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); run `dvc repro`") from None


def column_of(metric: str) -> str | None:
    """The column of nats that a likelihood metric is a function of; None for other metrics."""
    for name, column in _COLUMNS.items():
        if metric == name:
            return column
        if metric.startswith(f"{name}_"):
            return column + metric.removeprefix(name)
    return None


def _per_size(nats: Floats, sizes: Ids, chosen: Ids) -> float:
    return float(nats[chosen].sum()) / float(sizes[chosen].sum())
