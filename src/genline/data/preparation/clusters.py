"""Groups of like images, which stand for classes where there are no labels.

The judge of images is a classifier read at its features. Without labels it learns to tell these
groups apart instead, a form of self-supervision (one round of Caron et al. 2018, Deep clustering
for unsupervised learning of visual features, from pixels rather than from features). Its features
see what the groups differ in, so a distance in them is coarser than with true labels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genline.core.arrays import Floats
from genline.core.errors import DataError
from genline.core.seeds import derive_seed
from genline.data.prepared import SPLITS, SplitName

Images = npt.NDArray[np.uint8]

_SIDE = 16  # pixels: larger images are averaged down to about this
_DIMENSIONS = 32  # principal components that k-means sees
_FITTED = 20_000  # images of train that it is fitted on
_STARTS = 4
_BLOCK = 2048


def cluster(
    images: dict[SplitName, Images], count: int, seed: int
) -> dict[SplitName, npt.NDArray[np.int64]]:
    """The group of each image, 0 to ``count`` − 1, by k-means fitted on the training split.

    images: uint8 (n, channels, height, width) of each split. Raises DataError when the training
    split has fewer different images than groups.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    train = images["train"]
    sample = _small(train[:: -(-len(train) // _FITTED)])
    if len(np.unique(sample, axis=0)) < count:
        raise DataError(
            f"{len(train)} training images without labels make no {count} groups; lower "
            "prepare.clusters, or give more images"
        )
    with threadpool_limits(limits=1):  # sums, and so the groups, depend on the number of threads
        mean, axes = _principal(sample)
        state = derive_seed(seed, "clusters") % 2**32
        means = KMeans(count, n_init=_STARTS, random_state=state).fit((sample - mean) @ axes)
        # The fullest first, so that their numbers do not hang on the order of the centres.
        order = np.argsort(-np.bincount(means.labels_, minlength=count), kind="stable")
        number = np.empty(count, np.int64)
        number[order] = np.arange(count)
        return {
            name: np.concatenate(
                [
                    number[means.predict((_small(images[name][i : i + _BLOCK]) - mean) @ axes)]
                    for i in range(0, len(images[name]), _BLOCK)
                ]
            )
            for name in SPLITS
        }


def _small(images: Images) -> Floats:
    """float64 (n, channels · height · width) after averaging blocks of pixels."""
    pooled = np.asarray(images, np.float64)
    for axis in (2, 3):
        step = max(1, pooled.shape[axis] // _SIDE)
        starts = np.arange(0, pooled.shape[axis], step)
        sizes = np.diff([*starts, pooled.shape[axis]])
        sums = np.add.reduceat(pooled, starts, axis=axis)
        pooled = sums / sizes.reshape([-1 if a == axis else 1 for a in range(4)])
    return pooled.reshape(len(images), -1)


def _principal(points: Floats) -> tuple[Floats, Floats]:
    """The mean, and the directions of largest variance as columns."""
    mean = points.mean(axis=0)
    centred = points - mean
    _, vectors = np.linalg.eigh(centred.T @ centred / len(points))
    return mean, vectors[:, ::-1][:, :_DIMENSIONS]
