"""Texts without their near-duplicates: exactly where memory allows, by MinHash beyond.

The rule is the same: in order, each text is kept unless its similarity with one kept before it
reaches the threshold. By MinHash a pair is compared only when it shares a band, and then exactly,
so that no text goes without its twin; about 1 in 200 pairs at the very threshold is not found, and
fewer of more similar ones. In a crowd of texts that all share a band each is compared with the
first of them and the two before it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genline.core.progress import Progress
from genline.data import shingles
from genline.data.engines.ordered import Engine
from genline.data.min_hash import Banding, band_keys, set_keys, signatures
from genline.data.preparation import near_duplicates
from genline.data.preparation.equal import first_of_equal
from genline.data.preparation.folder import write_array
from genline.data.preparation.near_duplicates import reaches
from genline.data.preparation.text_store import TextStore

Indices = npt.NDArray[np.int64]
Kept = npt.NDArray[np.bool_]
Pairs = npt.NDArray[np.uint32]  # (n, 2)

EXACT_WORDS = 4_000_000  # up to here by comparing all that could be near: some 40 bytes a word
_BEFORE = 2  # texts of a crowd that each is compared with, besides its first
_TWINS = 4  # matches that are kept of a text
_TOGETHER = 2**20  # keys sorted at a time, about
_PAIRS = 20_000  # compared by one task


def exactly(store: TextStore, order: Indices, threshold: float) -> Kept:
    """Which of the texts are kept, (n,); ``order``: their numbers, in the order they are judged."""
    texts = [text for part, _ in store.slices() for text in store.part(part)]
    kept = np.zeros(len(texts), bool)
    kept[order[near_duplicates.distinct([texts[i] for i in order], threshold)]] = True
    return kept


def by_min_hash(store: TextStore, order: Indices, threshold: float, engine: Engine) -> Kept:
    """The same of any number of texts; memory holds some 50 bytes a text."""
    banding = Banding.of(threshold)
    with Progress("near-duplicates", len(store), unit="text", brief=True) as bar:
        parts = range(len(store.counts))
        for count in engine.map(partial(_write_keys, store, banding), parts):
            bar.advance(count)
    # Equal sets of 3-grams are found at once, and are compared no more.
    keys = np.empty(len(store), np.uint64)
    for (_, own), of_part in zip(store.slices(), _keys(store, banding.bands), strict=True):
        keys[own] = of_part
    first = first_of_equal(keys[order])
    del keys
    kept = first == np.arange(len(order))
    place = np.full(len(store), -1, np.int64)
    place[order[kept]] = np.flatnonzero(kept)
    write_array(_places(store), place)
    del place, first
    twins = _twins(store, order, banding, Fraction(str(threshold)), engine)
    # A text's twins stand before it, so that theirs is decided already.
    for text, twin in twins.tolist():
        if kept[twin]:
            kept[text] = False
    in_place = np.zeros(len(store), bool)
    in_place[order[kept]] = True
    return in_place


def _twins(
    store: TextStore, order: Indices, banding: Banding, limit: Fraction, engine: Engine
) -> Pairs:
    """Pairs whose similarity reaches ``limit``, by their places in ``order``: later, earlier."""
    found = np.empty((0, 2), np.uint32)
    counts = np.zeros(len(order), np.uint8)
    with Progress("comparing", banding.bands, unit="band", brief=True) as bar:
        for file in engine.map(partial(_candidates, store, banding), range(banding.bands)):
            pairs = np.load(file)
            file.unlink()
            pairs = pairs[counts[pairs[:, 0]] < _TWINS]
            pairs = pairs[~np.isin(_one_number(pairs), _one_number(found))]
            tasks = (pairs[i : i + _PAIRS] for i in range(0, len(pairs), _PAIRS))
            similar = engine.map(partial(_similar, store, limit), (order[task] for task in tasks))
            met = pairs[np.concatenate([np.empty(0, np.bool_), *similar])]
            np.add.at(counts, met[:, 0], 1)
            found = np.concatenate([found, met])
            bar.advance()
    return found[np.argsort(found[:, 0], kind="stable")]


def _one_number(pairs: Pairs) -> npt.NDArray[np.uint64]:
    return pairs[:, 0].astype(np.uint64) << np.uint64(32) | pairs[:, 1]


def _write_keys(store: TextStore, banding: Banding, part: int) -> int:
    """The band keys of a part's texts and those of their sets, onto disk: (bands + 1, texts); how
    many texts there are."""
    grams, begins = shingles.grams(store.part(part))
    bands = band_keys(signatures(grams, begins, banding.bands * banding.rows), banding.rows)
    write_array(_keys_of(store, part), np.vstack([bands.T, set_keys(grams, begins)[None]]))
    return len(begins)


def _keys(store: TextStore, band: int) -> Iterator[npt.NDArray[np.uint64]]:
    """The keys of all texts in a band, part by part."""
    for part, _ in store.slices():
        yield np.load(_keys_of(store, part), mmap_mode="r")[band]


def _candidates(store: TextStore, banding: Banding, band: int) -> Path:
    """Pairs of texts that share their key in a band, onto disk: their places, later and earlier.

    The keys are gone through several times, each time for a share of them.
    """
    place = np.load(_places(store), mmap_mode="r")
    slices = np.uint64(-(-len(store) // _TOGETHER) or 1)
    pairs = []
    for number in range(int(slices)):
        keys, places = [], []
        for (_, own), of_part in zip(store.slices(), _keys(store, band), strict=True):
            chosen = (of_part % slices == number) & (place[own] >= 0)
            keys.append(of_part[chosen])
            places.append(place[own][chosen])
        pairs.append(_sharing(np.concatenate(keys), np.concatenate(places)))
    path = store.folder / f"band-{band}.npy"
    write_array(path, np.concatenate(pairs))
    return path


def _sharing(keys: npt.NDArray[np.uint64], places: Indices) -> Pairs:
    order = np.lexsort((places, keys))
    keys, places = keys[order], places[order].astype(np.uint32)
    new = np.concatenate([[True], keys[1:] != keys[:-1]])
    number = np.arange(len(keys))
    first = np.maximum.accumulate(np.where(new, number, 0))
    pairs = []
    for back in range(1, _BEFORE + 1):
        later = np.flatnonzero(number - back >= first)
        pairs.append(np.stack([places[later], places[later - back]], 1))
    later = np.flatnonzero(number - _BEFORE > first)
    pairs.append(np.stack([places[later], places[first[later]]], 1))
    return np.concatenate(pairs)


def _similar(store: TextStore, limit: Fraction, pairs: Indices) -> npt.NDArray[np.bool_]:
    """Of each pair of texts, by their numbers, whether the similarity reaches ``limit``."""
    texts, place = np.unique(pairs, return_inverse=True)
    grams, begins = shingles.grams(store.at(texts))
    sets = [np.unique(own) for own in np.split(grams, begins[1:])]
    both = place.reshape(-1, 2)
    found = [reaches(set(sets[x].tolist()), sets[y], limit) for x, y in both]
    return np.array(found, np.bool_)


def _keys_of(store: TextStore, part: int) -> Path:
    return store.folder / f"part-{part:06}.keys.npy"


def _places(store: TextStore) -> Path:
    return store.folder / "places.npy"
