"""Which items train, validate and test: seeded, in equal shares of each label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genline.core.seeds import numpy_generator
from genline.data.preparation.equal import first_of_equal
from genline.data.prepared import SPLITS

_TRAIN, _VALID, _TEST = (SPLITS.index(name) for name in SPLITS)


def shuffle(
    groups: npt.NDArray[np.uint64],
    strata: npt.NDArray[np.int64] | None,
    valid: float,
    test: float,
    seed: int,
) -> npt.NDArray[np.int8]:
    """The place in SPLITS of each item, int8 (n,).

    Items of one group (such as exact duplicates) go to one split. Each stratum (such as a label)
    is shuffled on its own and cut at the shares ``valid`` and ``test``, the rest being train; a
    group counts where its first item is. groups: (n,) equal in a group; strata: (n,), or None.
    """
    first = first_of_equal(groups)
    alone = first == np.arange(len(groups))
    homes = np.full(len(groups), _TRAIN, np.int8)
    names = [""] if strata is None else sorted(np.unique(strata).tolist(), key=str)
    for name in names:
        members = np.flatnonzero(alone if strata is None else alone & (strata == name))
        order = numpy_generator(seed, "split", str(name)).permutation(members)
        tests = round(test * len(order))
        valids = round(valid * len(order))
        homes[order[:tests]] = _TEST
        homes[order[tests : tests + valids]] = _VALID
    return homes[first]
