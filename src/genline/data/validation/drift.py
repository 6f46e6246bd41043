"""How far a version of a dataset is from the one validated before it, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genline.data.validation import versions
from genline.data.validation.tables import ITEM
from genline.data.validation.versions import Profile

if TYPE_CHECKING:
    import pandas as pd

# One row a column of the item table; its name stands under ``item``.
DRIFT_COLUMNS = {
    ITEM: "str",
    "psi": "float64",  # population stability index
    "psi_by_chance": "float64",  # below which 99 of 100 would be, were both drawn from one source
    "psi_beyond_chance": "float64",  # the difference, 0 where psi is the smaller
    "kl": "float64",  # Kullback-Leibler divergence of this version from the one before, nats
}
_QUANTILE = 0.99
_PRIOR = 0.5  # added to each bin, so that one that is empty on one side counts, and finitely


def compare(table: pd.DataFrame, before: Profile | None) -> dict[str, Any]:
    """The content of ``drift.json``: how the items of ``table`` are spread, then and now.

    ``columns`` is empty where there is no version before; columns that only one of the two has are
    under ``not_compared``.
    """
    if before is None:
        return {"before": None, "items": len(table), "columns": [], "not_compared": []}
    known = before["columns"]
    profiled = versions.profiled(table)
    measured = [name for name in profiled if name in known]
    return {
        "before": {"digest": before["digest"], "items": before["items"]},
        "items": len(table),
        "columns": [_column(name, known[name], table[name]) for name in measured],
        "not_compared": sorted(set(known) ^ set(profiled)),
    }


def drift_table(drift: dict[str, Any]) -> pd.DataFrame:
    """What the expectations of ``drift`` are held against."""
    import pandas as pd

    rows = [{ITEM: column["name"], **column} for column in drift["columns"]]
    return pd.DataFrame(rows, columns=list(DRIFT_COLUMNS)).astype(DRIFT_COLUMNS)


def psi(then: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index: the sum over bins of (q − p) · ln(q / p).

    Siddiqi 2006, Credit risk scorecards, chapter 9; twice the mean of both Kullback-Leibler
    divergences, in nats. then, now: items in each bin.
    """
    p, q = _smoothed(then), _smoothed(now)
    return float(((q - p) * np.log(q / p)).sum())


def kl(then: Sequence[int], now: Sequence[int]) -> float:
    """Kullback-Leibler divergence KL(now ‖ then), in nats. then, now: items in each bin."""
    p, q = _smoothed(then), _smoothed(now)
    return float((q * np.log(q / p)).sum())


def psi_by_chance(then: Sequence[int], now: Sequence[int]) -> float:
    """What 99 of 100 indices stay below where nothing but chance tells two samples apart.

    Of B bins and n and m items the index is near to (1/n + 1/m) · χ² with B − 1 degrees of freedom:
    Yurdakul and Naranjo 2020, Statistical properties of the population stability index, section 3.
    """
    from scipy.special import gammaincinv  # many times faster to import than scipy.stats

    bins = len(then)
    scale = 1 / max(sum(then), 1) + 1 / max(sum(now), 1)
    # The quantile of χ² with d degrees of freedom is twice that of the gamma distribution at d / 2.
    return float(scale * 2 * gammaincinv((bins - 1) / 2, _QUANTILE)) if bins > 1 else 0.0


def _smoothed(counts: Sequence[int]) -> npt.NDArray[np.float64]:
    raised = np.asarray(counts, np.float64) + _PRIOR
    return np.asarray(raised / raised.sum())


def _column(name: str, before: dict[str, Any], values: pd.Series[Any]) -> dict[str, Any]:
    then, now = versions.shares(before, values)
    index, chance = psi(then, now), psi_by_chance(then, now)
    return {
        "name": name,
        "psi": index,
        "psi_by_chance": chance,
        "psi_beyond_chance": max(0.0, index - chance),
        "kl": kl(then, now),
        "bins": versions.bin_names(before)[: len(then)],
        "then": then,
        "now": now,
    }
