"""Texts into packed splits of token ids, with the tokenizer that made them.

The texts go through in parts: cleaned, into a store on disk; near-duplicates and splits are decided
by what is known of each; the tokenizer is trained on those of train; each part is encoded, and the
parts are joined. Memory holds a few parts, and some dozens of bytes of each other text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.arrays import Ids
from genline.core.errors import DataError
from genline.core.files import write_text
from genline.core.progress import Progress
from genline.data.engines.ordered import Engine
from genline.data.preparation import distinct
from genline.data.preparation.assignment import NONE, Homes, assign, places
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.cut_texts import without_repeats
from genline.data.preparation.folder import SCRATCH, write_blocks
from genline.data.preparation.lengths import Lengths
from genline.data.preparation.text_parts import (
    Encoded,
    clean_part,
    count_part,
    encode_part,
    lengths_file,
    tokens_file,
)
from genline.data.preparation.text_store import ChosenTexts, TextStore
from genline.data.prepared import SPLITS, SplitName, TextSpec, spec_to_json
from genline.data.sources.parts import Part
from genline.data.tokenizer import TextTokenizer, counted
from genline.data.tokenizer.scheme import Tally
from genline.data.tokenizer.text_tokenizer import token_dtype

Kept = npt.NDArray[np.bool_]


def prepare(
    raw: list[Part],
    source: dict[str, Any],
    section: PrepareTexts,
    seed: int,
    folder: Path,
    engine: Engine,
) -> dict[str, Any]:
    """Write ``<split>_tokens.npy``, ``<split>_offsets.npy`` and the tokenizer; return the meta.

    Near-duplicates go before the splits are drawn, so that no test text has a twin in train; the
    vocabulary is that of the train split alone. The meta says what was dropped and why. What was
    made on the way stays in ``SCRATCH``.
    """
    store, counts, words = _clean(raw, source, section, folder / SCRATCH, engine)
    # Read once more below: meanwhile a byte a text is enough.
    given = store.items()["home"].copy()
    kept = _distinct(store, given, words, section, engine)
    counts["near_duplicate"] = len(kept) - int(kept.sum())
    if not kept.any():
        raise DataError(f"no text is left: {_counted(counts, section)}")
    try:
        assigned = assign(store.items()[kept], section, seed, None)
    except DataError as error:
        raise DataError(f"{error}; {_counted(counts, section)}") from None
    homes = np.full(len(kept), NONE, np.int8)
    homes[kept] = assigned.homes
    tokenizer = _vocabulary(store, homes == 0, section, engine)
    write_text(folder / "tokenizer.json", tokenizer.to_json())
    encoded = _encode(store, homes, folder / "tokenizer.json", section, engine)
    for found in encoded.values():
        counts += found.left_out
    repeated = assigned.repeated_across
    if section.too_long == "cut":
        encoded, alike = without_repeats(store, encoded)
        repeated += alike
    for name, place in places():
        if not encoded[name].kept.texts:
            raise DataError(
                f"no {name} text is left of {int((homes == place).sum())} with a vocabulary of "
                f"{tokenizer.size}: {_counted(counts, section)}"
            )
        _pack(store, name, encoded[name], tokenizer.size, folder)
    meta: dict[str, Any] = {
        "spec": spec_to_json(TextSpec(tokenizer.size, section.max_tokens)),
        "counts": {name: encoded[name].kept.texts for name in SPLITS},
        "dropped": {
            **_left_out(counts),
            "repeated_across_splits": repeated,
            "unknown_word": counts["unknown_word"],
        },
        "unknown_tokens": {
            name: encoded[name].unknown / max(encoded[name].tokens, 1) for name in SPLITS
        },
    }
    if section.sentences is not None:
        meta["texts"] = counts["raw"]  # more than there are items
    if section.tokenizer == "word":
        return meta
    lengths = sum((found.kept for found in encoded.values()), Lengths())
    return meta | {"tokenizer": section.tokenizer, "lengths": lengths.to_json()}


# Why a text is left out, and what lets more through.
_KNOBS = {
    "empty": "give more data",
    "too_long": "raise max_tokens {0.max_tokens}, or set too_long to cut",
    "near_duplicate": "raise near_duplicates {0.near_duplicates:g}",
    "too_short": "lower min_words, min_characters or min_tokens",
    "unknown_word": "raise vocabulary, or set unknown to keep",
}
_USUAL = ("empty", "too_long", "near_duplicate")  # told even where there are none


def _clean(
    raw: list[Part], source: dict[str, Any], section: PrepareTexts, folder: Path, engine: Engine
) -> tuple[TextStore, Counter[str], int]:
    """The cleaned texts; how many raw ones there are (``raw``) and are left out; their words."""
    folder.mkdir()
    counts: Counter[str] = Counter()
    kept: list[int] = []
    words = 0
    with Progress("cleaning", source.get("items", 0), unit="text", brief=True) as bar:
        for part in engine.map(partial(clean_part, section, folder), raw):
            counts += part.left_out + Counter(raw=part.raw)
            kept.append(part.kept)
            words += part.words
            bar.advance(part.items)
    return TextStore(folder, tuple(kept)), counts, words


def _distinct(
    store: TextStore, given: Homes, words: int, section: PrepareTexts, engine: Engine
) -> Kept:
    # Of a pair of near-duplicates the one of the later split stays, where splits are known already.
    order = np.argsort(-given, kind="stable")
    by = section.near_duplicates_by
    if by == "exact" or (by == "auto" and words <= distinct.EXACT_WORDS):
        return distinct.exactly(store, order, section.near_duplicates)
    return distinct.by_min_hash(store, order, section.near_duplicates, engine)


def _vocabulary(
    store: TextStore, chosen: Kept, section: PrepareTexts, engine: Engine
) -> TextTokenizer:
    """The tokenizer of the ``chosen`` texts, (n,)."""
    scheme = counted(section.tokenizer)
    if scheme is None:
        texts = ChosenTexts(store, chosen)
        return TextTokenizer.train(texts, section.vocabulary, section.tokenizer)
    total = Tally()
    tasks = ((part, chosen[own]) for part, own in store.slices())
    with Progress("counting words", len(store), unit="text", brief=True) as bar:
        parts = zip(
            store.counts, engine.map(partial(count_part, store, scheme), tasks), strict=True
        )
        for count, tally in parts:
            total.add(tally)
            bar.advance(count)
    return TextTokenizer(scheme.from_counts(total, section.vocabulary))


def _encode(
    store: TextStore, homes: Homes, tokenizer: Path, section: PrepareTexts, engine: Engine
) -> dict[SplitName, Encoded]:
    """Encode all parts; the counts of each split."""
    totals = dict.fromkeys(SPLITS, Encoded())
    encode = partial(encode_part, store, tokenizer, section)
    tasks = ((part, homes[own]) for part, own in store.slices())
    with Progress("encoding", len(store), unit="text", brief=True) as bar:
        for count, found in zip(store.counts, engine.map(encode, tasks), strict=True):
            totals = {name: totals[name] + found[name] for name in SPLITS}
            bar.advance(count)
    return totals


def _pack(store: TextStore, name: SplitName, encoded: Encoded, size: int, folder: Path) -> None:
    """The encoded parts of a split, joined."""
    dtype = token_dtype(size)
    parts = range(len(store.counts))
    tokens = (np.load(tokens_file(store, part, name)) for part in parts)
    write_blocks(folder / f"{name}_tokens.npy", dtype, (encoded.kept.tokens,), tokens)
    lengths = (np.load(lengths_file(store, part, name)) for part in parts)
    count = encoded.kept.texts + 1
    write_blocks(folder / f"{name}_offsets.npy", np.int64, (count,), _offsets(lengths))


def _offsets(lengths: Iterator[Ids]) -> Iterator[Ids]:
    end = np.zeros(1, np.int64)
    yield end
    for block in lengths:
        ends = end[-1] + np.cumsum(block)
        yield ends
        end = ends if len(ends) else end


def _left_out(counts: Counter[str]) -> dict[str, int]:
    """Texts left out by reason; of the rarer ones only where there are some."""
    return {why: counts[why] for why in _KNOBS if why in _USUAL or counts[why]}


def _counted(counts: Counter[str], section: PrepareTexts) -> str:
    """Where the raw texts have gone, and which knob lets more through."""
    lost = _left_out(counts)
    most = max(lost, key=lambda reason: lost[reason])
    advice = _KNOBS[most].format(section) if lost[most] else "give more data"
    listed = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in lost.items())
    kept = counts["raw"] - sum(lost.values())
    return f"of {counts['raw']:,} texts {kept:,} were kept ({listed}): {advice}"
