"""Groups of like images: found where they are, the same at every run, and fitted on train."""

from __future__ import annotations

import numpy as np
import pytest

from genline.core.errors import DataError
from genline.data.preparation.clusters import cluster


def blobs(count: int, seed: int, side: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Images that are bright in one of three places, and which."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 3, count)
    images = random.integers(0, 40, (count, 1, side, side))
    for image, kind in zip(images, kinds, strict=True):
        image[0, kind * 6 : kind * 6 + 6] += 200
    return images.astype(np.uint8), kinds


def drawn() -> tuple[dict, dict]:
    parts = {n: blobs(60, seed) for seed, n in enumerate(("train", "valid", "test"))}
    return {n: p[0] for n, p in parts.items()}, {n: p[1] for n, p in parts.items()}


def test_images_that_are_alike_are_one_group_in_every_split() -> None:
    images, kinds = drawn()
    found = cluster(images, 3, seed=1)
    for name in images:
        pairs = set(zip(found[name].tolist(), kinds[name].tolist(), strict=True))
        assert len(pairs) == 3
    assert np.bincount(found["train"]).tolist() == sorted(np.bincount(found["train"]))[::-1]


def test_the_groups_are_the_same_at_every_run_and_those_of_train_alone() -> None:
    images, _ = drawn()
    first, again = cluster(images, 3, seed=1), cluster(images, 3, seed=1)
    other = cluster(images | {"test": images["test"][:5]}, 3, seed=1)
    assert all(np.array_equal(first[n], again[n]) for n in first)
    assert np.array_equal(first["test"][:5], other["test"])


def test_more_groups_than_images_are_refused() -> None:
    images, _ = drawn()
    few = images | {"train": np.repeat(images["train"][:2], 30, axis=0)}
    with pytest.raises(DataError, match=r"lower prepare\.clusters"):
        cluster(few, 3, seed=1)
