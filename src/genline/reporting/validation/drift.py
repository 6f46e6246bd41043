"""What changed since the version of the data before, as the validation page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genline.reporting.validation.histogram import pairs

_SHOWN = 12  # bins of a chart; those that changed most


def shown(drift: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of a ``drift.json``: its columns, the farthest first, each with its chart.

    ``moved``: those whose index is beyond chance; ``calm``: the names of the others. None where
    nothing is known of drift at all.
    """
    if drift is None:
        return None
    columns = sorted(drift["columns"], key=lambda c: (-c["psi_beyond_chance"], c["name"]))
    return {
        "before": drift["before"],
        "items": drift["items"],
        "moved": [_column(c) for c in columns if c["psi_beyond_chance"] > 0],
        "calm": sorted(c["name"] for c in columns if c["psi_beyond_chance"] == 0),
        "not_compared": drift["not_compared"],
    }


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    then, now = column["then"], column["now"]
    totals = max(sum(then), 1), max(sum(now), 1)
    bins = [
        {"name": name, "then": 100 * p / totals[0], "now": 100 * q / totals[1]}
        for name, p, q in zip(column["bins"], then, now, strict=True)
    ]
    chosen = sorted(
        sorted(range(len(bins)), key=lambda i: -abs(bins[i]["now"] - bins[i]["then"]))[:_SHOWN]
    )
    farthest = max(bins, key=lambda b: abs(b["now"] - b["then"]))
    return {
        **{key: column[key] for key in ("name", "psi", "psi_by_chance", "kl")},
        "bars": pairs([then[i] for i in chosen], [now[i] for i in chosen]),
        "shown": len(chosen),
        "bins": len(bins),
        "farthest": farthest,
    }
