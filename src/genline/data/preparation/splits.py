"""Which items train, validate and test: seeded, in equal shares of each label."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.seeds import numpy_generator
from genline.data.prepared import SPLITS, SplitName

Indices = npt.NDArray[np.int64]


def split(
    groups: Sequence[Hashable],
    strata: Sequence[Hashable],
    valid: float,
    test: float,
    seed: int,
) -> dict[SplitName, Indices]:
    """Indices of each split, rising.

    Items of one group (such as exact duplicates) go to one split. Each stratum (such as a label)
    is shuffled on its own and cut at the shares ``valid`` and ``test``, the rest being train.
    Raises DataError when a split would be empty.
    """
    first: dict[Hashable, int] = {}
    for index, group in enumerate(groups):
        first.setdefault(group, index)
    members: dict[Hashable, list[int]] = {}
    for index in first.values():
        members.setdefault(strata[index], []).append(index)
    home: dict[int, SplitName] = {}
    for stratum in sorted(members, key=str):
        order = numpy_generator(seed, "split", str(stratum)).permutation(members[stratum])
        tests = round(test * len(order))
        valids = round(valid * len(order))
        for place, index in enumerate(order.tolist()):
            home[index] = (
                "test" if place < tests else "valid" if place < tests + valids else "train"
            )
    names = [home[first[group]] for group in groups]
    found = {
        name: np.array([i for i, own in enumerate(names) if own == name], np.int64)
        for name in SPLITS
    }
    for name, indices in found.items():
        if not len(indices):
            raise DataError(
                f"the {name} split of {len(groups)} items is empty (valid {valid:g}, "
                f"test {test:g}); raise its share or give more data"
            )
    return found
