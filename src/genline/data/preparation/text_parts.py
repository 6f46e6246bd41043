"""What is done to the texts of one part: cleaned and measured; and, once it is known which are
kept and what the tokenizer is, encoded.

Each function has a part for its task, leaves its result in the store's folder and returns counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genline.data.preparation.assignment import Homes, describe, places
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.folder import write_array
from genline.data.preparation.text_store import TextStore, write_part
from genline.data.prepared import UNK, SplitName
from genline.data.sources import parts
from genline.data.sources.parts import Part
from genline.data.tokenizer import TextTokenizer, count_pieces

_ENCODED = 1000  # texts together
# All of Unicode's category Cc.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Cleaned:
    """Counts of a part: raw texts, those kept and their words, those left out by reason."""

    raw: int
    kept: int
    words: int
    left_out: Counter[str]


def clean_part(section: PrepareTexts, folder: Path, part: Part) -> Cleaned:
    """Clean the texts of a raw part, and put those of a length allowed into the store."""
    texts: list[str] = []
    items: list[tuple[int, int, int]] = []
    left_out: Counter[str] = Counter()
    raw = words = 0
    for item in parts.texts(part):
        raw += 1
        text = clean(item.text)
        tokens = count_pieces(text)
        if not 0 < tokens <= section.max_tokens:
            left_out["too_long" if tokens else "empty"] += 1
            continue
        texts.append(text)
        items.append(describe(item.name, item.keys, text.encode(), section))
        words += len(text.split())
    write_part(folder, part.number, texts, items)
    return Cleaned(raw, len(texts), words, left_out)


@dataclass(frozen=True)
class Encoded:
    """Counts of a part in one split: tokens of all texts, unknown ones, texts and tokens kept."""

    tokens: int
    unknown: int
    kept: int
    kept_tokens: int

    def __add__(self, other: Encoded) -> Encoded:
        return Encoded(
            self.tokens + other.tokens,
            self.unknown + other.unknown,
            self.kept + other.kept,
            self.kept_tokens + other.kept_tokens,
        )


def encode_part(
    store: TextStore, tokenizer: Path, drop_unknown: bool, task: tuple[int, Homes]
) -> dict[SplitName, Encoded]:
    """Encode the texts of a part into a file of tokens and one of lengths for each split.

    task: the part, and the home of each of its texts.
    """
    part, homes = task
    found: dict[SplitName, Encoded] = {}
    for name, place in places():
        texts = store.part(part, homes == place)
        tokens: list[npt.NDArray[np.int64]] = []
        total = unknown = 0
        for start in range(0, len(texts), _ENCODED):
            for ids in _tokenizer(str(tokenizer)).encode(texts[start : start + _ENCODED]):
                unknowns = int((ids == UNK).sum())
                total, unknown = total + len(ids), unknown + unknowns
                if not (unknowns and drop_unknown):
                    tokens.append(ids)
        lengths = np.array([len(ids) for ids in tokens], np.int64)
        flat = np.concatenate([np.empty(0, np.int64), *tokens]).astype(np.uint32)
        write_array(tokens_file(store, part, name), flat)
        write_array(lengths_file(store, part, name), lengths)
        found[name] = Encoded(total, unknown, len(lengths), len(flat))
    return found


def tokens_file(store: TextStore, part: int, split: SplitName) -> Path:
    """Where the tokens of a part in a split wait to be packed: uint32."""
    return store.folder / f"part-{part:06}.{split}.tokens.npy"


def lengths_file(store: TextStore, part: int, split: SplitName) -> Path:
    """And how many each text has: int64."""
    return store.folder / f"part-{part:06}.{split}.lengths.npy"


def clean(text: str) -> str:
    """Unicode NFC, without control characters, white space made single."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join(_CONTROL.sub(" ", composed).split())


@lru_cache(maxsize=1)
def _tokenizer(path: str) -> TextTokenizer:
    return TextTokenizer.load(path)
