"""What became of a dataset: its items by content, their statistics, and what preparing kept."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from genline.data.validation.tables import CATEGORIES, IDENTITIES
from genline.retraining.outputs import Outputs, read_json
from genline.retraining.wording import number, plain, table

if TYPE_CHECKING:
    import pandas as pd

_DIGEST = "digest"
_SHOWN = 12  # categories listed; an open class of labels has thousands


def describe(dataset: str, before: Outputs, after: Outputs) -> str | None:
    """The difference in a dataset as Markdown; None when every item and count is the same."""
    old, new = _items(dataset, before), _items(dataset, after)
    if new is None:
        return None
    counts = _counts(dataset, before), _counts(dataset, after)
    folder = f"data/validated/{dataset}"
    if old is None and (digest := before.digest(folder)) is not None:
        if digest == after.digest(folder):
            return None
        return (
            f"Now {len(new):,} items. The earlier table is not at hand (DVC's cache lacks it), so "
            "which were added and removed cannot be told."
        )
    if old is None:
        return f"New: {len(new):,} items.\n\n{_prepared({}, counts[1])}".rstrip()
    had, has = Counter(old[_DIGEST]), Counter(new[_DIGEST])
    added, removed = (has - had).total(), (had - has).total()
    if not added and not removed and counts[0] == counts[1]:
        return None
    kept = (had & has).total()
    lines = [
        f"Items: {len(old):,} → {len(new):,}: {added:,} added, {removed:,} removed, "
        f"{kept:,} the same."
    ]
    for part in (_statistics(old, new), _labels(old, new), _prepared(*counts)):
        lines += [part] if part else []
    return "\n\n".join(lines)


def _items(dataset: str, outputs: Outputs) -> pd.DataFrame | None:
    """The table that validation made, one row an item."""
    import pandas as pd

    content = outputs.read(f"data/validated/{dataset}/items.parquet")
    return None if content is None else pd.read_parquet(io.BytesIO(content))


def _counts(dataset: str, outputs: Outputs) -> dict[str, float]:
    """The numbers in the record of preparation, by dotted names."""
    meta = read_json(outputs, f"data/prepared/{dataset}/meta.json") or {}
    return _numbers({k: v for k, v in meta.items() if k not in ("digests", "source", "spec")})


def _numbers(value: dict[str, Any], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            flat |= _numbers(inner, f"{prefix}{key}.")
        elif isinstance(inner, (int, float)) and not isinstance(inner, bool):
            flat[f"{prefix}{key}"] = inner
    return flat


def _statistics(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """Mean and standard deviation of each quantity that changed; how far, in deviations."""
    rows = []
    for column in new.select_dtypes("number").columns:
        if column in CATEGORIES or column in IDENTITIES or column not in old:
            continue
        was, now = old[column].astype(float), new[column].astype(float)
        figures = [was.mean(), was.std(ddof=0), now.mean(), now.std(ddof=0)]
        if figures[:2] == figures[2:] or new.empty:
            continue
        shift = (figures[2] - figures[0]) / figures[1] if figures[1] > 0 else float("inf")
        rows.append(
            [
                plain(column),
                f"{number(figures[0])} ± {number(figures[1])}",
                f"{number(figures[2])} ± {number(figures[3])}",
                f"{shift:+.2f} σ" if abs(shift) < 1e6 else "was constant",
            ]
        )
    return table(["an item's", "before", "after", "shift of the mean"], rows) if rows else ""


def _labels(old: pd.DataFrame, new: pd.DataFrame) -> str:
    if "label" not in old or "label" not in new:
        return ""
    had, has = (frame["label"].astype(str).value_counts().to_dict() for frame in (old, new))
    changed = [k for k in {**had, **has} if had.get(k, 0) != has.get(k, 0)]
    changed.sort(key=lambda k: (-abs(has.get(k, 0) - had.get(k, 0)), k))
    if not changed:
        return ""
    rows = [[plain(k), f"{had.get(k, 0):,}", f"{has.get(k, 0):,}"] for k in changed[:_SHOWN]]
    more = len(changed) - _SHOWN
    ending = f"\n\nand {more:,} labels more." if more > 0 else ""
    return table(["label", "before", "after"], rows) + ending


def _prepared(old: dict[str, float], new: dict[str, float]) -> str:
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    rows = [
        [plain(name), *(number(side[name]) if name in side else "–" for side in (old, new))]
        for name in names
    ]
    return table(["prepared", "before", "after"], rows) if rows else ""
