"""Which split each item goes to, by any of the ways that ``prepare.split`` offers.

Whatever the way, an item equal to one of a later split (test after validation after train) is
left out of the earlier one: what is tested on was never trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from genline.core.errors import DataError
from genline.data.preparation.config import Prepare
from genline.data.preparation.splits import Indices, split
from genline.data.prepared import SPLITS, SplitName
from genline.data.sources.items import Keys


@dataclass(frozen=True)
class Items:
    """What decides on the split of each item, all of one length."""

    names: Sequence[str]
    keys: Sequence[Keys]
    digests: Sequence[str]  # equal where the contents are
    strata: Sequence[Hashable]  # such as labels


@dataclass(frozen=True)
class Assignment:
    """Indices of each split, rising, and how many items stand in none as they repeat across."""

    parts: dict[SplitName, Indices]
    repeated_across: int


def assign(items: Items, section: Prepare, seed: int) -> Assignment:
    """The split of every item. Raises DataError naming an item without the key that is needed,
    and for a split that would be empty.
    """
    if section.split == "shuffle":
        # Equal items, or those of one group, move together.
        groups = [k.group or d for k, d in zip(items.keys, items.digests, strict=True)]
        parts = split(groups, items.strata, section.valid, section.test, seed)
        homes = _homes(parts, len(groups))
    elif section.split == "hash":
        homes = [_by_hash(items, i, section.valid, section.test) for i in range(len(items.names))]
    elif section.split == "given":
        homes = _given(items, section)
    else:
        homes = _by_time(items, section)
    kept = _without_repeats(homes, items.digests)
    found = {n: np.array([i for i in kept if homes[i] == n], np.int64) for n in SPLITS}
    for name, indices in found.items():
        if not len(indices):
            raise DataError(
                f"the {name} split of {len(homes)} items is empty (split: {section.split}, valid "
                f"{section.valid:g}, test {section.test:g}); raise its share or give more data"
            )
    return Assignment(found, len(homes) - len(kept))


def _homes(parts: dict[SplitName, Indices], count: int) -> list[SplitName]:
    homes: list[SplitName] = ["train"] * count
    for name, indices in parts.items():
        for index in indices.tolist():
            homes[index] = name
    return homes


def _by_hash(items: Items, index: int, valid: float, test: float) -> SplitName:
    """From the item alone, so that it stays where it is whatever else comes or goes."""
    key = items.keys[index].group or items.digests[index]
    draw = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return "test" if draw < test else "valid" if draw < test + valid else "train"


def _given(items: Items, section: Prepare) -> list[SplitName]:
    """As the source says; a split that it never names takes its share of train, by hash."""
    given = {k.split for k in items.keys}
    if "" in given:
        name = items.names[[k.split for k in items.keys].index("")]
        raise DataError(
            f"{name}: its source gives it no split; set prepare.split to hash or shuffle"
        )
    valid = 0.0 if "valid" in given else section.valid
    test = 0.0 if "test" in given else section.test
    homes: list[SplitName] = []
    for index, keys in enumerate(items.keys):
        home = next(name for name in SPLITS if name == keys.split)
        homes.append(_by_hash(items, index, valid, test) if home == "train" else home)
    return homes


def _by_time(items: Items, section: Prepare) -> list[SplitName]:
    first_valid, first_test = section.valid_from, section.test_from
    assert first_valid is not None  # the section checks that both are given, and alike
    assert first_test is not None
    homes: list[SplitName] = []
    for name, keys in zip(items.names, items.keys, strict=True):
        time = _moment(name, keys.time, isinstance(first_test, str))
        # Of one kind, which mypy cannot see.
        homes.append(
            "test" if time >= first_test else "valid" if time >= first_valid else "train"  # type: ignore[operator]
        )
    return homes


def _moment(name: str, time: str, text: bool) -> str | float:
    if not time:
        raise DataError(f"{name}: has no time; name the column of the table that holds it")
    if text:
        return time
    try:
        return float(time)
    except ValueError:
        raise DataError(
            f"{name}: its time is '{time[:40]}', wanted a number as test_from is"
        ) from None


def _without_repeats(homes: Sequence[SplitName], digests: Sequence[str]) -> list[int]:
    """Indices of the items that no later split has too."""
    place = {name: number for number, name in enumerate(SPLITS)}
    last: dict[str, int] = {}
    for home, digest in zip(homes, digests, strict=True):
        last[digest] = max(last.get(digest, 0), place[home])
    return [i for i, home in enumerate(homes) if place[home] == last[digests[i]]]
