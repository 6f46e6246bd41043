"""Texts that are equal once they are cut: what is tested on is trained on in no other form either.

Splits keep equal texts on one side, but two that only begin alike may stand in two, and where
``too_long`` is ``cut`` nothing else is left of them.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.data.preparation.folder import write_array
from genline.data.preparation.lengths import Counts, Lengths
from genline.data.preparation.text_parts import Encoded, lengths_file, sizes_file, tokens_file
from genline.data.preparation.text_store import TextStore
from genline.data.prepared import SPLITS, SplitName

Keys = npt.NDArray[np.uint64]


def without_repeats(
    store: TextStore, encoded: dict[SplitName, Encoded]
) -> tuple[dict[SplitName, Encoded], int]:
    """Leave out of each encoded split what a later one (test after valid after train) has too.

    Returns the counts of what stays, and how many texts do not. Memory is 8 bytes a text.
    """
    found, left_out = dict(encoded), 0
    later = np.empty(0, np.uint64)
    for name in reversed(SPLITS):
        keys, stays = [later], Lengths()
        for part in range(len(store.counts)):
            own, lengths = _kept(store, part, name, later)
            keys.append(own)
            stays += lengths
        left_out += encoded[name].kept.texts - stays.texts
        found[name] = replace(encoded[name], kept=stays)
        later = np.unique(np.concatenate(keys))
    return found, left_out


def _kept(store: TextStore, part: int, name: SplitName, later: Keys) -> tuple[Keys, Lengths]:
    """The keys of a part's texts that are not among ``later``, and their lengths; others go."""
    places = tokens_file(store, part, name), lengths_file(store, part, name)
    tokens, lengths = map(np.load, places)
    sizes = np.load(sizes_file(store, part, name))
    keys = _keys(tokens, lengths)
    stays = ~_among(keys, later)
    if not stays.all():
        write_array(places[0], tokens[np.repeat(stays, lengths)])
        write_array(places[1], lengths[stays])
    return keys[stays], Lengths.of(sizes[stays], lengths[stays])


def _among(keys: Keys, rising: Keys) -> npt.NDArray[np.bool_]:
    places = np.searchsorted(rising, keys)
    known = places < len(rising)
    known[known] = rising[places[known]] == keys[known]
    return known


def _keys(tokens: npt.NDArray[Any], lengths: Counts) -> Keys:
    """64 bits of a hash of each text's tokens."""
    content, size = tokens.tobytes(), tokens.itemsize
    ends = np.cumsum(lengths) * size
    both = zip((ends - lengths * size).tolist(), ends.tolist(), strict=True)
    digests = (blake2b(content[begin:end], digest_size=8).digest() for begin, end in both)
    return np.frombuffer(b"".join(digests), np.uint64)
