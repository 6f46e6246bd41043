"""What a model's likelihood of each test item is, kept so that two models can be compared in pairs.

Two models scored on the same items share most of their error: a hard text is hard for both. The
figures item by item let a comparison resample the items once for both.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from genline.core.arrays import Floats, Ids
from genline.core.errors import DataError
from genline.evaluation.intervals import Statistic

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
_PART = re.compile(r"item of (\d+)")  # the first column of a file that holds a part of the split
_SIZES: tuple[Size, ...] = ("tokens", "dimensions")


@dataclass(frozen=True)
class Items:
    """Nats of each of n test items, in the order of the test split.

    ``sizes``: int64 (n,), the tokens of each text, its end mark counted, or the dimensions of
    each image; ``nats``: float64 (n,) by column, −log p(x) or a bound of it: ``nll`` and ``elbo``,
    with the name of a sampler behind where it has a likelihood of its own. Empty for a model
    without a likelihood.

    A model that can read only some of the items has those alone: ``part`` is then their places in
    the test split, rising, int64 (n,), and ``total`` the number of all.
    """

    size: Size
    sizes: Ids
    nats: Mapping[str, Floats] = field(default_factory=dict)
    part: Ids | None = None
    total: int | None = None

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

    @property
    def places(self) -> Ids:
        """Where the items stand in the test split, int64 (n,)."""
        return np.arange(len(self), dtype=np.int64) if self.part is None else self.part

    def at(self, places: Ids) -> Items:
        """The items at some of :attr:`places`, as if they were all."""
        rows = np.searchsorted(self.places, places)
        nats = {name: values[rows] for name, values in self.nats.items()}
        return Items(self.size, self.sizes[rows], nats)

    def same_items(self, other: Items) -> bool:
        """Whether both are of the same test split, as far as the sizes of what both have tell."""
        if self.size != other.size or self._total != other._total:
            return False
        common = np.intersect1d(self.places, other.places)
        return np.array_equal(self.at(common).sizes, other.at(common).sizes)

    @property
    def _total(self) -> int:
        return len(self) if self.total is None else self.total

    def to_csv(self) -> str:
        """One row an item: its index in the test split, its size, and the nats in full digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        index = _INDEX if self.part is None else f"{_INDEX} of {self._total}"
        writer.writerow([index, self.size, *self.nats])
        columns = [values.tolist() for values in self.nats.values()]
        writer.writerows(zip(self.places.tolist(), self.sizes.tolist(), *columns, strict=True))
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str) -> Items:
        """What :meth:`to_csv` wrote. Raises ValueError where it is something else."""
        header, *rows = csv.reader(io.StringIO(text))
        parted = _PART.fullmatch(header[0]) if header else None
        if (header[:1] != [_INDEX] and not parted) or header[1:2] not in [[n] for n in _SIZES]:
            raise ValueError(f"wanted columns '{_INDEX}' and one of {_SIZES}, found {header[:2]}")
        total = int(parted[1]) if parted else len(rows)
        part = np.array([row[0] for row in rows], np.int64) if parted else None
        if part is not None and not _rises(part, total):
            raise ValueError(f"column '{header[0]}' does not rise from 0 to below {total}")
        if part is None and [row[0] for row in rows] != [str(i) for i in range(len(rows))]:
            raise ValueError(f"column '{_INDEX}' does not count the rows from 0")
        columns = list(zip(*rows, strict=True)) or [()] * len(header)
        nats = {
            name: np.array(column, np.float64)
            for name, column in zip(header[2:], columns[2:], strict=True)
        }
        size: Size = "tokens" if header[1] == "tokens" else "dimensions"
        sizes = np.array(columns[1], np.int64)
        return cls(size, sizes, nats, part, total if parted else None)


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


def _rises(places: Ids, total: int) -> bool:
    """Whether the places are of a split of ``total`` items, in order and none twice."""
    ends = np.concatenate([[-1], places, [total]])
    return bool((ends[1:] > ends[:-1]).all())


def _per_size(nats: Floats, sizes: Ids, chosen: Ids) -> float:
    return float(nats[chosen].sum()) / float(sizes[chosen].sum())
