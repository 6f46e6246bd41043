"""What items of one given split share with those of another: equal items, near copies, leaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genline.data.validation import candidates, text_statistics
from genline.data.validation.image_statistics import grey_images
from genline.data.validation.tables import ITEM, TWIN, Table

if TYPE_CHECKING:
    from genline.data.sources.items import ImageItem, Items

Rows = npt.NDArray[np.int64]
Read = Callable[[], "Items"]
Floats = npt.NDArray[np.floating[Any]]

# Pairs of splits, the later one first; an item's first twin in this order is the one that is named.
_PAIRS = (("test", "train"), ("valid", "train"), ("test", "valid"))
_SIDE = 32  # pixels: larger images are averaged down to about this to be compared


def relate(table: Table, read: Read, kind: str, similar: float) -> None:
    """Fill the columns of ``table`` that are about other splits.

    Nearly equal are texts whose word 3-grams have a Jaccard similarity of ``similar`` or more, and
    images of one shape whose grey levels correlate by that much. ``read`` gives the items anew, in
    the order of the table.
    """
    rows = table.rows
    splits = rows["split"].to_numpy()
    places = {name: np.flatnonzero(splits == name) for pair in _PAIRS for name in pair}
    pairs = [(a, b) for a, b in _PAIRS if len(places[a]) and len(places[b])]
    if not pairs:
        return
    equal = _equal(rows["digest"], places, pairs)
    near = _near(table, places, equal, pairs, read, kind, similar)
    twin = np.full(len(rows), -1, np.int64)
    marked = {name: np.zeros(len(rows), bool) for name in ("equal_across", "near_across", "leaked")}
    for name, found in (("equal_across", equal), ("near_across", near)):
        for pair, (ours, others) in zip(pairs, found, strict=True):
            for own, other in ((ours, others), (others, ours)):
                marked[name][own] = True
                new = twin[own] < 0
                twin[own[new]] = other[new]
            if pair == ("test", "train"):
                marked["leaked"][ours] = True
    for name, values in marked.items():
        rows[name] = values
    names = rows[ITEM].to_numpy(object)
    rows[TWIN] = np.where(twin >= 0, names[twin], "")
    rows[TWIN] = rows[TWIN].astype("str")


def _equal(
    digests: Any, places: dict[str, Rows], pairs: Sequence[tuple[str, str]]
) -> list[tuple[Rows, Rows]]:
    """Of each pair of splits, rows of equal items: each row of either that has one, with one."""
    import pandas as pd

    codes = pd.factorize(digests)[0]
    first: dict[str, Rows] = {}
    for name, rows in places.items():
        first[name] = np.full(len(digests), -1, np.int64)
        first[name][codes[rows[::-1]]] = rows[::-1]
    found = []
    for a, b in pairs:
        ours = places[a][first[b][codes[places[a]]] >= 0]
        others = places[b][first[a][codes[places[b]]] >= 0]
        found.append(
            (
                np.concatenate([ours, first[a][codes[others]]]),
                np.concatenate([first[b][codes[ours]], others]),
            )
        )
    return found


def _near(
    table: Table,
    places: dict[str, Rows],
    equal: list[tuple[Rows, Rows]],
    pairs: Sequence[tuple[str, str]],
    read: Read,
    kind: str,
    similar: float,
) -> list[tuple[Rows, Rows]]:
    flat = table.rows["near_constant"].to_numpy() if kind == "image" else False
    plain = np.ones(len(table.rows), bool) & ~np.asarray(flat)
    tried = []
    for (a, b), (ours, _) in zip(pairs, equal, strict=True):
        own = np.setdiff1d(places[a][plain[places[a]]], ours)
        other = places[b][plain[places[b]]]
        keys = table.keys[own], table.keys[other]
        i, j = (
            candidates.of_waves(*keys, similar) if kind == "image" else candidates.of_bands(*keys)
        )
        tried.append((own[i], other[j]))
    rows = np.unique(np.concatenate([side for pair in tried for side in pair]))
    compare = _images(read, rows) if kind == "image" else _texts(read, rows)
    found = []
    for ours, others in tried:
        alike = compare(np.searchsorted(rows, ours), np.searchsorted(rows, others))
        # The likest last: that one is named.
        order = np.argsort(alike, kind="stable")
        order = order[alike[order] >= similar]
        found.append((ours[order], others[order]))
    return found


def _chosen(read: Read, rows: Rows) -> Iterable[Any]:
    wanted = set(rows.tolist())
    last = int(rows[-1]) if len(rows) else -1
    for place, item in enumerate(islice(read(), last + 1)):
        if place in wanted:
            yield item


def _images(read: Read, rows: Rows) -> Callable[[Rows, Rows], Floats]:
    """The correlation of the grey levels of two images of one shape; 0 of two shapes."""
    small: list[Floats] = []
    shapes: list[tuple[int, ...]] = []
    for item in _chosen(read, rows):
        small.append(_reduced(item))
        shapes.append(item.pixels.shape)

    def alike(ours: Rows, others: Rows) -> Floats:
        return np.array(
            [
                np.dot(small[i].astype(np.float32), small[j].astype(np.float32))
                if shapes[i] == shapes[j]
                else 0.0
                for i, j in zip(ours.tolist(), others.tolist(), strict=True)
            ],
            np.float64,
        )

    return alike


def _reduced(item: ImageItem) -> Floats:
    """Grey levels with mean 0 and length 1, of blocks of pixels where there are many."""
    grey = grey_images(item.pixels[None], 2)[0]
    for axis in (0, 1):
        step = max(1, grey.shape[axis] // _SIDE)
        starts = np.arange(0, grey.shape[axis], step)
        sizes = np.diff([*starts, grey.shape[axis]])
        sums = np.add.reduceat(grey, starts, axis=axis)
        grey = sums / (sizes[:, None] if axis == 0 else sizes)
    flat = (grey - grey.mean()).ravel()
    # Many may be held at once, and 11 bits tell a correlation to five digits.
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-12), np.float16)


def _texts(read: Read, rows: Rows) -> Callable[[Rows, Rows], Floats]:
    """The Jaccard similarity of the word 3-grams of two texts."""
    grams = [text_statistics.grams(item.text) for item in _chosen(read, rows)]

    def alike(ours: Rows, others: Rows) -> Floats:
        found = np.zeros(len(ours))
        for place, (i, j) in enumerate(zip(ours.tolist(), others.tolist(), strict=True)):
            shared = len(np.intersect1d(grams[i], grams[j], assume_unique=True))
            found[place] = shared / (len(grams[i]) + len(grams[j]) - shared)
        return found

    return alike
