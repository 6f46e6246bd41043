"""What is done to the texts of one part: cleaned and measured; and, once it is known which are
kept and what the tokenizer is, encoded.

Each function has a part for its task, leaves its result in the store's folder and returns counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.data.preparation.assignment import Homes, describe, places
from genline.data.preparation.cleaning import clean_item
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.folder import write_array
from genline.data.preparation.lengths import Fitting, Lengths, fit
from genline.data.preparation.text_store import Chosen, TextStore, write_part
from genline.data.prepared import UNK, SplitName
from genline.data.sources import parts
from genline.data.sources.parts import Part
from genline.data.tokenizer import TextTokenizer
from genline.data.tokenizer.scheme import Counted, Tally
from genline.data.words import count_words

_ENCODED = 1000  # texts together


@dataclass(frozen=True)
class Cleaned:
    """Counts of a part: items, the texts in them, those kept and their words, those left out by
    reason."""

    items: int
    raw: int
    kept: int
    words: int
    left_out: Counter[str]


def clean_part(section: PrepareTexts, folder: Path, part: Part) -> Cleaned:
    """Clean the texts of a raw part, and put those of a length allowed into the store."""
    texts: list[str] = []
    items: list[tuple[int, int, int]] = []
    left_out: Counter[str] = Counter()
    read = words = 0
    for item in parts.texts(part):
        read += 1
        kept, reasons = clean_item(item, section)
        left_out.update(reasons)
        for text in kept:
            texts.append(text.text)
            items.append(describe(text.name, text.keys, text.text.encode(), section))
            # Near enough, and fast, where spaces part words.
            ascii_alone = text.text.isascii()
            words += len(text.text.split()) if ascii_alone else count_words(text.text)
    write_part(folder, part.number, texts, items)
    return Cleaned(read, len(texts) + left_out.total(), len(texts), words, left_out)


def count_part(store: TextStore, scheme: type[Counted], task: tuple[int, Chosen]) -> Tally:
    """What decides a vocabulary in the chosen texts of a part. task: the part, and which."""
    part, chosen = task
    return scheme.count(store.part(part, chosen))


@dataclass(frozen=True)
class Encoded:
    """Counts of a part in one split: tokens of all texts, unknown ones, the lengths of those kept,
    those left out by reason."""

    tokens: int = 0
    unknown: int = 0
    kept: Lengths = field(default_factory=Lengths)
    left_out: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Encoded) -> Encoded:
        return Encoded(
            self.tokens + other.tokens,
            self.unknown + other.unknown,
            self.kept + other.kept,
            self.left_out + other.left_out,
        )


def encode_part(
    store: TextStore, tokenizer: Path, section: PrepareTexts, task: tuple[int, Homes]
) -> dict[SplitName, Encoded]:
    """Encode the texts of a part into files of tokens and of their lengths for each split.

    task: the part, and the home of each of its texts.
    """
    part, homes = task
    found: dict[SplitName, Encoded] = {}
    for name, place in places():
        texts = store.part(part, homes == place)
        total, blocks, sizes = Encoded(), list[Fitting](), list[npt.NDArray[np.int64]]()
        for start in range(0, len(texts), _ENCODED):
            some = texts[start : start + _ENCODED]
            tokens, lengths = _tokenizer(str(tokenizer)).encode_flat(some)
            block = fit(tokens, lengths, section)
            characters = np.fromiter(map(len, some), np.int64, len(some))[block.kept]
            blocks.append(block)
            sizes.append(characters)
            total += Encoded(
                len(tokens),
                int((tokens == UNK).sum()),
                Lengths.of(characters, block.lengths),
                block.left_out,
            )
        write_array(
            tokens_file(store, part, name), _joined([block.tokens for block in blocks], np.uint32)
        )
        write_array(lengths_file(store, part, name), _joined([b.lengths for b in blocks], np.int64))
        write_array(sizes_file(store, part, name), _joined(sizes, np.int64))
        found[name] = total
    return found


def tokens_file(store: TextStore, part: int, split: SplitName) -> Path:
    """Where the tokens of a part in a split wait to be packed: uint32."""
    return store.folder / f"part-{part:06}.{split}.tokens.npy"


def lengths_file(store: TextStore, part: int, split: SplitName) -> Path:
    """And how many each text has: int64."""
    return store.folder / f"part-{part:06}.{split}.lengths.npy"


def sizes_file(store: TextStore, part: int, split: SplitName) -> Path:
    """And how many characters, before a cut: int64."""
    return store.folder / f"part-{part:06}.{split}.characters.npy"


def _joined(blocks: list[npt.NDArray[Any]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *blocks])


@lru_cache(maxsize=1)
def _tokenizer(path: str) -> TextTokenizer:
    return TextTokenizer.load(path)
