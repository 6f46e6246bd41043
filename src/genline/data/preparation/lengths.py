"""Encoded texts held against the bounds that are known only with a vocabulary, and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.data.preparation.config import PrepareTexts
from genline.data.prepared import UNK

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fitting:
    """The texts that are stored: their tokens one after another, how many each has, which of those
    given they are, (given,), and how many are not by reason."""

    tokens: npt.NDArray[Any]
    lengths: Counts
    kept: npt.NDArray[np.bool_]
    left_out: Counter[str]


def fit(tokens: npt.NDArray[Any], lengths: Counts, section: PrepareTexts) -> Fitting:
    """Cut or drop texts that are too long, and drop those too short or with an unknown token.

    tokens: of all texts, one after another; lengths: int64 (texts,).
    """
    owner = np.repeat(np.arange(len(lengths)), lengths)
    if section.too_long == "cut":
        place = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        within = place < section.max_tokens
        tokens, owner = tokens[within], owner[within]
        lengths = np.minimum(lengths, section.max_tokens)
    kept = np.ones(len(lengths), bool)
    left_out: Counter[str] = Counter()
    unknown = np.zeros(len(lengths), bool)
    if section.unknown == "drop":
        unknown[owner[tokens == UNK]] = True
    for reason, found in (
        ("too_long", lengths > section.max_tokens),
        ("too_short", lengths < section.min_tokens),
        ("unknown_word", unknown),
    ):
        left_out[reason] = int((kept & found).sum())
        kept &= ~found
    return Fitting(tokens[kept[owner]], lengths[kept], kept, left_out)


@dataclass(frozen=True)
class Lengths:
    """Characters and tokens of texts, summed up; characters as before a cut."""

    texts: int = 0
    characters: int = 0
    most_characters: int = 0
    tokens: int = 0
    most_tokens: int = 0

    @classmethod
    def of(cls, characters: Counts, tokens: Counts) -> Lengths:
        """Of texts with so many characters and tokens, int64 (texts,)."""
        sums = (int(c) for part in (characters, tokens) for c in (part.sum(), part.max(initial=0)))
        return cls(len(tokens), *sums)

    def __add__(self, other: Lengths) -> Lengths:
        return Lengths(
            self.texts + other.texts,
            self.characters + other.characters,
            max(self.most_characters, other.most_characters),
            self.tokens + other.tokens,
            max(self.most_tokens, other.most_tokens),
        )

    def to_json(self) -> dict[str, Any]:
        """The mean and the largest, in characters and in tokens."""
        return {
            "characters": {"mean": self.characters / self.texts, "most": self.most_characters},
            "tokens": {"mean": self.tokens / self.texts, "most": self.most_tokens},
        }
