"""The last validated versions of a dataset, in numbers small enough for git.

One file holds two profiles: of the version that passed last, and of the one before it. It is both
read and written by validation, so DVC is told to leave it in place (``persist``). What is written
depends on the data and on that file alone, and writing it a second time changes nothing: the
profile of another version moves the last one to second place, that of the same version does not.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import digest_bytes, read_json, write_json
from genline.data.validation.tables import CATEGORIES, FILE, IDENTITIES

if TYPE_CHECKING:
    import pandas as pd

PARTS = 10  # bins of a quantity, each with as many items where its values allow
_DISTINCT = 20  # values of a quantity that are counted one by one
_NAMED = 100  # values of a category; the rest are one
OTHER = "…"  # its name

Profile = dict[str, Any]


def profile(table: pd.DataFrame) -> Profile:
    """What a later version is compared with: each column's bins and the items in each of them.

    ``digest`` is that of the items, their labels and splits, whatever their order.
    """
    return {
        "digest": _digest(table),
        "items": len(table),
        "columns": {name: _column(table[name], name in CATEGORIES) for name in profiled(table)},
    }


def profiled(table: pd.DataFrame) -> list[str]:
    """The columns of which a later version is compared."""
    return [str(name) for name in table.columns if name not in (*IDENTITIES, FILE)]


def read_versions(path: Path) -> dict[str, Profile | None]:
    """``last`` and ``before`` as :func:`write_versions` left them; None where there is none.

    Raises DataError for a file that is no such record, as after a merge that went wrong.
    """
    if not path.exists():
        return {"last": None, "before": None}
    found = read_json(path)
    known = ("columns", "digest", "items")
    if not isinstance(found, dict) or set(found) != {"last", "before"}:
        raise DataError(f"{path}: holds no 'last' and 'before'; restore it from git or delete it")
    for name, value in found.items():
        if value is not None and not (isinstance(value, dict) and set(known) == set(value)):
            raise DataError(f"{path}: '{name}' is no profile; restore it from git or delete it")
    return found


def previous(versions: dict[str, Profile | None], now: Profile) -> Profile | None:
    """The version before that of ``now``: the last one, unless that is of the same items."""
    last = versions["last"]
    return versions["before"] if last is not None and last["digest"] == now["digest"] else last


def write_versions(path: Path, now: Profile, before: Profile | None) -> None:
    write_json(path, {"last": now, "before": before})


def shares(column: dict[str, Any], values: pd.Series[Any]) -> tuple[list[int], list[int]]:
    """Items in each bin of a column of a profile: then, and among ``values``.

    The last bin is of missing values where there are any.
    """
    if "edges" in column:
        found = _binned(values.dropna().to_numpy(), np.array(column["edges"]))
        now = [*found, int(values.isna().sum())]
        then = [*column["counts"], column["missing"]]
    else:
        counts = _counted(values)
        names = [name for name in column["counts"] if name != OTHER]
        now = [counts.get(name, 0) for name in names]
        now.append(sum(counts.values()) - sum(now))
        then = [*(column["counts"][name] for name in names), column["counts"].get(OTHER, 0)]
    if not now[-1] and not then[-1]:
        now, then = now[:-1], then[:-1]
    return then, now


def bin_names(column: dict[str, Any]) -> list[str]:
    """What the bins of :func:`shares` hold, in words."""
    if "edges" not in column:
        return [*(name for name in column["counts"] if name != OTHER), "any other"]
    edges = [f"{edge:.4g}" for edge in column["edges"]]
    inner = [f"above {a}, to {b}" for a, b in pairwise(edges)]
    return [f"to {edges[0]}", *inner, f"above {edges[-1]}", "missing"]


def _column(values: pd.Series[Any], category: bool) -> dict[str, Any]:
    if category or values.nunique() <= _DISTINCT:
        counts = _counted(values)
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        kept = dict(ranked[:_NAMED])
        rest = sum(count for _, count in ranked[_NAMED:])
        return {"counts": kept | ({OTHER: rest} if rest else {})}
    numbers = values.dropna().to_numpy()
    # Of values that many items share, such as 0, fewer bins.
    edges = np.unique(np.quantile(numbers, np.arange(1, PARTS) / PARTS))
    return {
        "edges": edges.tolist(),
        "counts": _binned(numbers, edges),
        "missing": int(values.isna().sum()),
    }


def _counted(values: pd.Series[Any]) -> dict[str, int]:
    """How many items have each value, missing ones under ''."""
    counts = values.value_counts(dropna=True)
    found = {str(value): int(n) for value, n in zip(counts.index.tolist(), counts, strict=True)}
    missing = int(values.isna().sum())
    return found | ({"": found.get("", 0) + missing} if missing else {})


def _binned(numbers: npt.NDArray[Any], edges: npt.NDArray[Any]) -> list[int]:
    """How many are up to each edge and above the one before it, and above the last."""
    places = np.searchsorted(edges, numbers, "left")
    return [int(n) for n in np.bincount(places, minlength=len(edges) + 1)]


def _digest(table: pd.DataFrame) -> str:
    from pandas.util import hash_pandas_object

    keys = table[["digest", "label", "split"]].astype("str")
    rows = np.sort(hash_pandas_object(keys, index=False).to_numpy())
    return digest_bytes(rows.tobytes())
