"""Texts into packed splits of token ids, with the tokenizer that made them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genline.core.arrays import Ids
from genline.core.errors import DataError
from genline.core.files import digest_bytes, write_text
from genline.data.preparation.assignment import Items, assign
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.folder import write_array
from genline.data.preparation.near_duplicates import distinct
from genline.data.prepared import SPLITS, UNK, SplitName, TextSpec, spec_to_json
from genline.data.sources.items import Keys, TextItem
from genline.data.tokenizer import TextTokenizer, count_pieces

# All of Unicode's category Cc.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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
    short: list[_Cleaned] = []
    lengths: list[int] = []
    for item in items:
        text = clean(item.text)
        lengths.append(count_pieces(text))
        if 0 < lengths[-1] <= section.max_tokens:
            short.append(_Cleaned(item.name, text, item.keys))
    if section.split == "given":
        # Of a pair of near-duplicates the one of the later split stays.
        short.sort(key=lambda cleaned: -_PLACES.get(cleaned.keys.split, 0))
    chosen = [short[i] for i in distinct([c.text for c in short], section.near_duplicates)]
    kept = [c.text for c in chosen]
    left_out = {
        "empty": lengths.count(0),
        "too_long": sum(n > section.max_tokens for n in lengths),
        "near_duplicate": len(short) - len(kept),
    }
    if not kept:
        raise DataError(f"no text is left: {_counted(len(lengths), left_out, section)}")
    try:
        found = assign(_items(chosen), section, seed)
    except DataError as error:
        raise DataError(f"{error}; {_counted(len(lengths), left_out, section)}") from None
    parts = found.parts
    tokenizer = TextTokenizer.train([kept[i] for i in parts["train"]], section.vocabulary)
    unknown: dict[SplitName, float] = {}
    dropped = 0
    counts: dict[SplitName, int] = {}
    for name in SPLITS:
        encoded = tokenizer.encode(kept[i] for i in parts[name])
        unknown[name] = unknown_share(encoded)
        if section.unknown == "drop":
            known = [ids for ids in encoded if UNK not in ids]
            dropped += len(encoded) - len(known)
            encoded = known
        if not encoded:
            raise DataError(
                f"no {name} text is left: each of {len(parts[name])} has a word outside the "
                f"vocabulary of {tokenizer.size}; "
                f"{_counted(len(lengths), left_out, section)}, or raise vocabulary, or set unknown "
                "to keep"
            )
        _write_split(folder, name, encoded, tokenizer.size)
        counts[name] = len(encoded)
    write_text(folder / "tokenizer.json", tokenizer.to_json())
    return {
        "spec": spec_to_json(TextSpec(tokenizer.size, section.max_tokens)),
        "counts": counts,
        "dropped": {
            **left_out,
            "repeated_across_splits": found.repeated_across,
            "unknown_word": dropped,
        },
        "unknown_tokens": unknown,
    }


@dataclass(frozen=True)
class _Cleaned:
    name: str
    text: str
    keys: Keys


_PLACES: dict[str, int] = {name: number for number, name in enumerate(SPLITS)}


def _items(chosen: list[_Cleaned]) -> Items:
    digests = [digest_bytes(c.text.encode()) for c in chosen]
    return Items([c.name for c in chosen], [c.keys for c in chosen], digests, [""] * len(chosen))


def _counted(count: int, left_out: dict[str, int], section: PrepareTexts) -> str:
    """Where ``count`` raw texts have gone before the splits, and which knob lets more through."""
    kept = count - sum(left_out.values())
    knobs = {
        "empty": "give more data",
        "too_long": f"raise max_tokens {section.max_tokens}",
        "near_duplicate": f"raise near_duplicates {section.near_duplicates:g}",
    }
    most = max(left_out, key=lambda reason: left_out[reason])
    advice = knobs[most] if left_out[most] else "give more data"
    lost = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in left_out.items())
    return f"of {count:,} texts {kept:,} were kept ({lost}): {advice}"


def clean(text: str) -> str:
    """Unicode NFC, without control characters, white space made single."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join(_CONTROL.sub(" ", composed).split())


def unknown_share(encoded: list[Ids]) -> float:
    """Share of tokens outside the vocabulary, before any text is dropped."""
    tokens = sum(len(ids) for ids in encoded)
    return sum(int((ids == UNK).sum()) for ids in encoded) / max(tokens, 1)


def _write_split(folder: Path, name: str, encoded: list[Ids], size: int) -> None:
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(ids) for ids in encoded], out=offsets[1:])
    tokens = np.concatenate(encoded).astype(np.uint16 if size <= 2**16 else np.uint32)
    write_array(folder, f"{name}_tokens", tokens)
    write_array(folder, f"{name}_offsets", offsets)
