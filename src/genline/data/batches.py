"""Which items make up the batch of a step: a pure function of the seed and the step.

Because nothing is remembered between steps, a resumed run needs no data position.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError, ParamsError
from genline.core.seeds import numpy_generator

Indices = npt.NDArray[np.int64]


class ShuffledBatches:
    """Full batches of a fresh permutation every epoch; the remainder is left out of its epoch."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        if not count:
            raise DataError("there are no training items; prepare more data")
        if batch > count:
            raise ParamsError(
                f"batch is {batch} but there are only {count} training items; use {count} or fewer"
            )
        self.count, self.batch, self.seed = count, batch, seed
        self.per_epoch = count // batch
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def __getitem__(self, step: int) -> Indices:
        """int64 (batch,) indices for ``step``."""
        epoch, position = divmod(step, self.per_epoch)
        indices: Indices = self._epoch(epoch)[position]
        return indices

    def _make_epoch(self, epoch: int) -> npt.NDArray[np.int64]:
        order = numpy_generator(self.seed, "epoch", epoch).permutation(self.count)
        return order[: self.per_epoch * self.batch].reshape(self.per_epoch, self.batch)


class BucketedBatches(ShuffledBatches):
    """Batches of texts of like length, so that little is spent on padding.

    Each epoch shuffles the items, sorts each run of ``window`` batches by length, cuts it into
    batches and shuffles those.
    """

    def __init__(
        self, lengths: npt.NDArray[np.int64], batch: int, seed: int, window: int = 50
    ) -> None:
        super().__init__(len(lengths), batch, seed)
        self.lengths, self.window = lengths, window

    def _make_epoch(self, epoch: int) -> npt.NDArray[np.int64]:
        random = numpy_generator(self.seed, "epoch", epoch)
        order = random.permutation(self.count)[: self.per_epoch * self.batch]
        run = self.window * self.batch
        runs = [order[start : start + run] for start in range(0, len(order), run)]
        runs = [part[np.argsort(self.lengths[part], kind="stable")] for part in runs]
        batches = np.concatenate(runs).reshape(self.per_epoch, self.batch)
        return batches[random.permutation(self.per_epoch)]
