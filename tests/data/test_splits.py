"""Splits: every item in one split, labels in equal shares, groups whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genline.data.preparation.splits import shuffle
from genline.data.prepared import SPLITS


def split(
    groups: Sequence[int], labels: Sequence[int] | None, valid: float, test: float, seed: int
) -> dict[str, np.ndarray]:
    """Indices of each split."""
    strata = None if labels is None else np.array(labels, np.int64)
    homes = shuffle(np.array(groups, np.uint64), strata, valid, test, seed)
    return {name: np.flatnonzero(homes == place) for place, name in enumerate(SPLITS)}


@given(st.integers(30, 200), st.floats(0.1, 0.3), st.floats(0.1, 0.3), st.integers(0, 10**9))
def test_every_item_is_in_one_split(count: int, valid: float, test: float, seed: int) -> None:
    parts = split(range(count), [0] * count, valid, test, seed)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(count))
    assert len(parts["valid"]) == round(valid * count)
    assert len(parts["test"]) == round(test * count)


def test_each_label_has_its_share_of_each_split() -> None:
    labels = np.repeat([0, 1, 2], [100, 200, 50])
    parts = split(range(350), labels.tolist(), valid=0.1, test=0.3, seed=1)
    assert Counter(labels[parts["test"]].tolist()) == {0: 30, 1: 60, 2: 15}
    assert Counter(labels[parts["valid"]].tolist()) == {0: 10, 1: 20, 2: 5}


@given(st.lists(st.integers(0, 25), max_size=100), st.integers(0, 10**9))
def test_a_group_is_never_divided(more: list[int], seed: int) -> None:
    groups = [*range(26), *more]
    parts = split(groups, None, 0.3, 0.3, seed)
    homes = [{groups[i] for i in indices} for indices in parts.values()]
    assert not homes[0] & homes[1] | homes[0] & homes[2] | homes[1] & homes[2]


def test_the_seed_decides() -> None:
    def draw(seed: int) -> list[int]:
        return split(range(100), None, 0.2, 0.2, seed)["test"].tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
