"""Texts into packed splits of token ids, with the tokenizer that made them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.files import write_text
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.folder import write_array
from genline.data.preparation.near_duplicates import distinct
from genline.data.preparation.splits import split
from genline.data.prepared import SPLITS, UNK, SplitName, TextSpec, spec_to_json
from genline.data.sources.items import TextItem
from genline.data.tokenizer import TextTokenizer, count_pieces

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
    texts = [clean(item.text) for item in items]
    lengths = [count_pieces(text) for text in texts]
    short = [t for t, n in zip(texts, lengths, strict=True) if 0 < n <= section.max_tokens]
    kept = [short[i] for i in distinct(short, section.near_duplicates)]
    left_out = {
        "empty": lengths.count(0),
        "too_long": sum(n > section.max_tokens for n in lengths),
        "near_duplicate": len(short) - len(kept),
    }
    if not kept:
        raise DataError(f"no text is left: {_counted(len(texts), left_out, section)}")
    try:
        parts = split(range(len(kept)), [""] * len(kept), section.valid, section.test, seed)
    except DataError as error:
        raise DataError(f"{error}; {_counted(len(texts), left_out, section)}") from None
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
                f"{_counted(len(texts), left_out, section)}, or raise vocabulary, or set unknown "
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
            "unknown_word": dropped,
        },
        "unknown_tokens": unknown,
    }


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
    printable = "".join(c if unicodedata.category(c) != "Cc" else " " for c in composed)
    return " ".join(printable.split())


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
