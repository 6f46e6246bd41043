"""Texts into packed splits of token ids, with the tokenizer that made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import digest_bytes, write_text
from genline.data.preparation.assignment import Items, assign
from genline.data.preparation.cleaning import CleanText, clean_item
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.folder import write_array
from genline.data.preparation.lengths import Lengths, fit
from genline.data.preparation.near_duplicates import distinct
from genline.data.prepared import SPLITS, UNK, SplitName, TextSpec, spec_to_json
from genline.data.sources.items import TextItem
from genline.data.tokenizer import TextTokenizer
from genline.data.tokenizer.text_tokenizer import token_dtype

Ids = npt.NDArray[np.int64]


def prepare(
    items: Iterable[TextItem],
    section: PrepareTexts,
    seed: int,
    folder: Path,
) -> dict[str, Any]:
    """Write ``<split>_tokens.npy``, ``<split>_offsets.npy`` and the tokenizer; return the meta.

    Near-duplicates go before the splits are drawn, so that no test text has a twin in train; the
    vocabulary is that of the train split alone. The meta says what was dropped and why.
    """
    short: list[CleanText] = []
    reasons: Counter[str] = Counter()
    for item in items:
        texts, others = clean_item(item, section)
        short += texts
        reasons.update(others)
    total = len(short) + reasons.total()
    if section.split == "given":
        # Of a pair of near-duplicates the one of the later split stays.
        short.sort(key=lambda cleaned: -_PLACES.get(cleaned.keys.split, 0))
    chosen = [short[i] for i in distinct([c.text for c in short], section.near_duplicates)]
    kept = [c.text for c in chosen]
    reasons["near_duplicate"] = len(short) - len(kept)
    if not kept:
        raise DataError(f"no text is left: {_counted(total, reasons, section)}")
    try:
        found = assign(_items(chosen), section, seed)
    except DataError as error:
        raise DataError(f"{error}; {_counted(total, reasons, section)}") from None
    parts = found.parts
    train = [kept[i] for i in parts["train"]]
    tokenizer = TextTokenizer.train(train, section.vocabulary, section.tokenizer)
    unknown: dict[SplitName, float] = {}
    counts: dict[SplitName, int] = {}
    lengths = Lengths()
    for name in SPLITS:
        own = [kept[i] for i in parts[name]]
        encoded = tokenizer.encode(own)
        unknown[name] = unknown_share(encoded)
        fits = [fit(ids, section) for ids in encoded]
        reasons.update(found for found in fits if isinstance(found, str))
        encoded = [found for found in fits if not isinstance(found, str)]
        if not encoded:
            raise DataError(
                f"no {name} text is left of {len(own)} with a vocabulary of {tokenizer.size}: "
                f"{_counted(total, reasons, section)}"
            )
        _write_split(folder, name, encoded, tokenizer.size)
        counts[name] = len(encoded)
        lengths.add(own, fits)
    write_text(folder / "tokenizer.json", tokenizer.to_json())
    meta = {
        "spec": spec_to_json(TextSpec(tokenizer.size, section.max_tokens)),
        "counts": counts,
        "dropped": {
            **_left_out(reasons),
            "repeated_across_splits": found.repeated_across,
            "unknown_word": reasons["unknown_word"],
        },
        "unknown_tokens": unknown,
    }
    if section.tokenizer == "word":
        return meta
    return meta | {"tokenizer": section.tokenizer, "lengths": lengths.to_json()}


_PLACES: dict[str, int] = {name: number for number, name in enumerate(SPLITS)}


def _items(chosen: list[CleanText]) -> Items:
    digests = [digest_bytes(c.text.encode()) for c in chosen]
    return Items([c.name for c in chosen], [c.keys for c in chosen], digests, [""] * len(chosen))


def _left_out(reasons: Counter[str]) -> dict[str, int]:
    """Texts left out by reason; of a bound that is seldom set, only where it left one out."""
    usual = ("empty", "too_long", "near_duplicate")
    return {**{reason: reasons[reason] for reason in usual}, **reasons}


def _counted(count: int, reasons: Counter[str], section: PrepareTexts) -> str:
    """Where ``count`` texts have gone, and which knob lets more through."""
    kept = count - reasons.total()
    knobs = {
        "empty": "give more data",
        "too_short": "lower min_words, min_characters or min_tokens",
        "too_long": f"raise max_tokens {section.max_tokens}, or set too_long to cut",
        "near_duplicate": f"raise near_duplicates {section.near_duplicates:g}",
        "unknown_word": "raise vocabulary, or set unknown to keep",
    }
    lost = _left_out(reasons)
    most = max(lost, key=lambda reason: lost[reason])
    advice = knobs[most] if lost[most] else "give more data"
    told = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in lost.items())
    return f"of {count:,} texts {kept:,} were kept ({told}): {advice}"


def unknown_share(encoded: list[Ids]) -> float:
    """Share of tokens outside the vocabulary, before any text is dropped."""
    tokens = sum(len(ids) for ids in encoded)
    return sum(int((ids == UNK).sum()) for ids in encoded) / max(tokens, 1)


def _write_split(folder: Path, name: str, encoded: list[Ids], size: int) -> None:
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(ids) for ids in encoded], out=offsets[1:])
    tokens = np.concatenate(encoded).astype(token_dtype(size))
    write_array(folder, f"{name}_tokens", tokens)
    write_array(folder, f"{name}_offsets", offsets)
