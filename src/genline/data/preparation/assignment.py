"""Which split each item goes to, by any of the ways that ``prepare.split`` offers.

Whatever the way, an item equal to one of a later split (test after validation after train) is
left out of the earlier one: what is tested on was never trained on.

What decides is kept in 17 bytes an item. Contents and groups stand there as 64 bits of their
sha256: among ten million, that two differ and are taken for equal has a chance of 3 in a million.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.data.preparation.config import Prepare
from genline.data.preparation.equal import first_of_equal
from genline.data.preparation.splits import shuffle
from genline.data.prepared import SPLITS, SplitName
from genline.data.sources.items import Keys

PLACES: dict[str, int] = {name: place for place, name in enumerate(SPLITS)}
NONE = -1
# Of one item. home: its place in SPLITS as source or time says, or NONE. digest: of its content.
# draw: of what it belongs with, its group or else its content; uniform, so that it also draws lots.
ITEM = np.dtype([("home", "i1"), ("digest", "<u8"), ("draw", "<u8")])
Homes = npt.NDArray[np.int8]


def describe(name: str, keys: Keys, content: bytes, section: Prepare) -> tuple[int, int, int]:
    """An :data:`ITEM`. Raises DataError naming an item without the key that is needed."""
    digest = hashlib.sha256(content).hexdigest()
    draw = hashlib.sha256((keys.group or digest).encode()).digest()
    home = NONE
    if section.split == "given":
        if not keys.split:
            raise DataError(
                f"{name}: its source gives it no split; set prepare.split to hash or shuffle"
            )
        home = PLACES[keys.split]
    elif section.split == "time":
        home = _by_time(name, keys.time, section)
    return home, int(digest[:16], 16), int.from_bytes(draw[:8], "big")


@dataclass(frozen=True)
class Assignment:
    """homes: int8 (n,), the place of each item in SPLITS, NONE for those that repeat across."""

    homes: Homes

    @property
    def repeated_across(self) -> int:
        """Items that stand in no split, since a later one has an equal."""
        return int((self.homes == NONE).sum())

    @property
    def parts(self) -> dict[SplitName, npt.NDArray[np.int64]]:
        """Indices of each split, rising."""
        return {name: np.flatnonzero(self.homes == place) for name, place in places()}


def places() -> Iterable[tuple[SplitName, int]]:
    """Each split and its number."""
    return ((name, place) for place, name in enumerate(SPLITS))


def assign(
    items: npt.NDArray[Any], section: Prepare, seed: int, strata: npt.NDArray[np.int64] | None
) -> Assignment:
    """The split of every item. Raises DataError for a split that would be empty.

    items: :data:`ITEM` (n,). strata: (n,), such as labels, in each of which ``shuffle`` keeps the
    shares; None for one stratum.
    """
    digests, draws = items["digest"], items["draw"]
    if section.split == "shuffle":
        # Equal items, or those of one group, move together.
        homes = shuffle(draws, strata, section.valid, section.test, seed)
    elif section.split == "hash":
        homes = _by_hash(draws, section.valid, section.test)
    elif section.split == "given":
        homes = _given(items["home"], draws, section)
    else:
        homes = np.array(items["home"])
    homes = _without_repeats(homes, digests)
    for name, place in places():
        if not (homes == place).any():
            different = len(np.unique(digests))
            of_them = "" if different == len(homes) else f", of which {different} differ,"
            raise DataError(
                f"the {name} split of {len(homes)} items{of_them} is empty (split: "
                f"{section.split}, valid {section.valid:g}, test {section.test:g}); raise its "
                "share or give more data"
            )
    return Assignment(homes)


def _by_hash(draws: npt.NDArray[np.uint64], valid: float, test: float) -> Homes:
    """From the item alone, so that it stays where it is whatever else comes or goes."""
    uniform = draws / 2.0**64
    homes = np.full(len(draws), PLACES["train"], np.int8)
    homes[uniform < test + valid] = PLACES["valid"]
    homes[uniform < test] = PLACES["test"]
    return homes


def _given(given: Homes, draws: npt.NDArray[np.uint64], section: Prepare) -> Homes:
    """As the source says; a split that it never names takes its share of train, by hash."""
    valid = 0.0 if (given == PLACES["valid"]).any() else section.valid
    test = 0.0 if (given == PLACES["test"]).any() else section.test
    drawn = _by_hash(draws, valid, test)
    return np.where(given == PLACES["train"], drawn, given)


def _by_time(name: str, time: str, section: Prepare) -> int:
    first_valid, first_test = section.valid_from, section.test_from
    assert first_valid is not None  # the section checks that both are given, and alike
    assert first_test is not None
    found = _moment(name, time, isinstance(first_test, str))
    # Of one kind, which mypy cannot see.
    home = "test" if found >= first_test else "valid" if found >= first_valid else "train"  # type: ignore[operator]
    return PLACES[home]


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


def _without_repeats(homes: Homes, digests: npt.NDArray[np.uint64]) -> Homes:
    """NONE for the items that a later split has too."""
    first = first_of_equal(digests)
    last = np.full(len(homes), NONE, np.int8)
    np.maximum.at(last, first, homes)
    return np.where(homes == last[first], homes, np.int8(NONE))
