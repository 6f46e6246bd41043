"""Each column of an item table in a few numbers, for the page a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genline.data.validation.tables import CATEGORIES, FILE, IDENTITIES

if TYPE_CHECKING:
    import pandas as pd

BINS = 30
TOP = 10


def summarise(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Of numbers: moments and a histogram; of names: the most frequent values.

    Files that hold one item each are left out: there is nothing to sum up.
    """
    from pandas.api.types import is_numeric_dtype

    return [
        _number(str(name), table[name])
        if is_numeric_dtype(table[name]) and name not in CATEGORIES
        else _category(str(name), table[name])
        for name in table.columns
        if name not in IDENTITIES and not (name == FILE and table[name].is_unique)
    ]


def bin_edges(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Edges of equal bins over ``values``; of few whole numbers, one bin each."""
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.integer) and high - low < BINS:
        return np.arange(low, high + 2) - 0.5
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _number(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    values = column.dropna().to_numpy()
    edges = bin_edges(values)
    return {
        "name": name,
        "kind": "number",
        "min": values.min().item(),
        "max": values.max().item(),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "missing": int(column.isna().sum()),
        "histogram": {
            "edges": edges.tolist(),
            "counts": np.histogram(values, edges)[0].tolist(),
        },
    }


def _category(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    counts = column.dropna().value_counts()
    # Ties in the order of their values, so that the same data gives the same bytes.
    ranked = sorted(
        ((value, int(count)) for value, count in zip(counts.index.tolist(), counts, strict=True)),
        key=lambda pair: (-pair[1], pair[0]),
    )
    return {
        "name": name,
        "kind": "category",
        "distinct": len(ranked),
        "top": [list(pair) for pair in ranked[:TOP]],
    }
