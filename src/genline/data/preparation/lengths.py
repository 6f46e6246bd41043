"""Encoded texts held against the bounds that are known only with a vocabulary, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.data.preparation.config import PrepareTexts
from genline.data.prepared import UNK

Ids = npt.NDArray[np.int64]


def fit(ids: Ids, section: PrepareTexts) -> Ids | str:
    """``ids`` as they are stored, cut where that is asked for, or why they are not."""
    if len(ids) > section.max_tokens:
        if section.too_long == "drop":
            return "too_long"
        ids = ids[: section.max_tokens]
    if len(ids) < section.min_tokens:
        return "too_short"
    if section.unknown == "drop" and UNK in ids:
        return "unknown_word"
    return ids


@dataclass
class Lengths:
    """Characters and tokens of the texts that are kept, summed up as they pass."""

    texts: int = 0
    characters: int = 0
    most_characters: int = 0
    tokens: int = 0
    most_tokens: int = 0

    def add(self, texts: Sequence[str], fits: Iterable[Ids | str]) -> None:
        """Count those of ``texts`` whose :func:`fit` is no reason; characters as before a cut."""
        for text, ids in zip(texts, fits, strict=True):
            if isinstance(ids, str):
                continue
            self.texts += 1
            self.characters += len(text)
            self.most_characters = max(self.most_characters, len(text))
            self.tokens += len(ids)
            self.most_tokens = max(self.most_tokens, len(ids))

    def to_json(self) -> dict[str, Any]:
        """The mean and the largest, in characters and in tokens."""
        return {
            "characters": {"mean": self.characters / self.texts, "most": self.most_characters},
            "tokens": {"mean": self.tokens / self.texts, "most": self.most_tokens},
        }
