"""The ways of splitting: stable by hash, as given, by time; and nothing on two sides."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.core.errors import DataError, ParamsError
from genline.core.params import parse_section
from genline.data.preparation.assignment import ITEM, Assignment, assign, describe
from genline.data.preparation.config import PrepareImages
from genline.data.prepared import SPLITS
from genline.data.sources.items import Keys


def section(**settings: Any) -> PrepareImages:
    return parse_section(PrepareImages, {"valid": 0.2, "test": 0.2, **settings}, "prepare")


@dataclass(frozen=True)
class Raw:
    """Items by their contents, and what a source knows of each."""

    contents: list[str]
    keys: list[Keys]

    def assigned(self, settings: PrepareImages, seed: int = 1) -> Assignment:
        described = [
            describe(f"item {number}", keys, content.encode(), settings)
            for number, (content, keys) in enumerate(zip(self.contents, self.keys, strict=True))
        ]
        return assign(np.array(described, ITEM), settings, seed, None)


def items(contents: list[str], keys: list[Keys] | None = None) -> Raw:
    return Raw(contents, keys or [Keys()] * len(contents))


def homes(found: Raw, settings: PrepareImages, seed: int = 1) -> dict[str, str]:
    """The split of each item by its content."""
    parts = found.assigned(settings, seed).parts
    return {found.contents[i]: name for name in SPLITS for i in parts[name]}


MANY = [f"digest {i}" for i in range(500)]


def test_by_hash_an_item_never_moves_when_others_come_or_go() -> None:
    before = homes(items(MANY[:300]), section(split="hash"))
    after = homes(items(MANY[::-1]), section(split="hash"), seed=2)
    assert {digest: after[digest] for digest in before} == before


def test_by_hash_the_shares_are_near_those_asked() -> None:
    count = Counter(homes(items(MANY), section(split="hash")).values())
    assert abs(count["test"] - 100) < 40
    assert abs(count["valid"] - 100) < 40


@given(st.sampled_from(["hash", "shuffle"]), st.integers(0, 1000))
def test_a_group_stays_together(way: Any, seed: int) -> None:
    keys = [Keys(group=f"author {i % 60}") for i in range(500)]
    found = items(MANY, keys)
    parts = found.assigned(section(split=way), seed).parts
    owners = [{keys[i].group for i in parts[name]} for name in SPLITS]
    assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]
    assert sum(map(len, parts.values())) == 500


def test_the_sources_own_splits_are_kept_and_validation_comes_out_of_train() -> None:
    keys = [Keys(split="test" if i % 5 == 0 else "train") for i in range(500)]
    found = homes(items(MANY, keys), section(split="given"))
    assert {d for d, home in found.items() if home == "test"} == set(MANY[::5])
    assert 40 < sum(home == "valid" for home in found.values()) < 120


def test_all_splits_given_are_taken_as_they_are() -> None:
    keys = [Keys(split=SPLITS[i % 3]) for i in range(500)]
    found = homes(items(MANY, keys), section(split="given"))
    assert [found[digest] for digest in MANY] == [SPLITS[i % 3] for i in range(500)]


def test_what_is_tested_on_is_never_trained_on() -> None:
    digests = ["a", "b", "c", "a", "d", "a", "e"]
    splits = ["train", "train", "valid", "valid", "test", "test", "train"]
    raw = items(digests, [Keys(split=split) for split in splits])
    found = raw.assigned(section(split="given"))
    assert {n: p.tolist() for n, p in found.parts.items()} == {
        "train": [1, 6],
        "valid": [2],
        "test": [4, 5],
    }
    assert found.repeated_across == 2


def test_a_given_split_that_an_item_lacks_is_named() -> None:
    keys = [Keys(split="train"), Keys()]
    with pytest.raises(DataError, match=r"item 1: its source gives it no split; set prepare.split"):
        items(["a", "b"], keys).assigned(section(split="given"))


@pytest.mark.parametrize(
    ("times", "moments"),
    [
        (["2023-06-01", "2024-01-01", "2024-01-02", "2024-07-01"], ("2024-01-01", "2024-07-01")),
        (["9", "10", "10.5", "100"], (10, 100)),
    ],
)
def test_by_time_the_latest_are_tested_on(times: list[str], moments: Any) -> None:
    found = items(list("abcd"), [Keys(time=time) for time in times])
    settings = section(split="time", valid_from=moments[0], test_from=moments[1])
    assert homes(found, settings) == {"a": "train", "b": "valid", "c": "valid", "d": "test"}


def test_a_time_that_is_missing_or_no_number_is_named() -> None:
    settings = section(split="time", valid_from=1, test_from=2)
    for time, message in (("", "item 0: has no time"), ("soon", "item 0: its time is 'soon'")):
        with pytest.raises(DataError, match=message):
            items(["a"], [Keys(time=time)]).assigned(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "time"}, "split is time; give valid_from and test_from"),
        ({"split": "hash", "test_from": "2024"}, "are of split: time, not hash"),
        ({"split": "time", "valid_from": "2025", "test_from": "2024"}, "the first the earlier"),
        ({"split": "time", "valid_from": 1, "test_from": "2024"}, "two texts or two numbers"),
        ({"split": "hashed"}, "prepare.split is 'hashed'; did you mean 'hash'?"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParamsError) as error:
        section(**settings)
    assert message in str(error.value)


def test_one_item_cannot_be_split() -> None:
    with pytest.raises(DataError, match="split of 1 items is empty"):
        items(["a"]).assigned(section(split="hash"))


def test_indices_rise_and_are_whole_numbers() -> None:
    for indices in items(MANY).assigned(section(split="hash")).parts.values():
        assert indices.dtype == np.int64
        assert (np.diff(indices) > 0).all()
