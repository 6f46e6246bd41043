"""A prepared text dataset small enough for a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genline.core.files import write_json
from genline.data.prepared import PreparedTexts, load_texts


def write_corpus(folder: Path, texts: Sequence[Sequence[int]], vocabulary: int) -> PreparedTexts:
    """``texts`` as every split of a dataset in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    tokens = np.array([token for text in texts for token in text], np.uint16)
    for split in ("train", "valid", "test"):
        np.save(folder / f"{split}_tokens.npy", tokens)
        np.save(folder / f"{split}_offsets.npy", offsets)
    longest = max(map(len, texts))
    write_json(
        folder / "meta.json",
        {"spec": {"kind": "text", "vocabulary": vocabulary, "max_tokens": longest}},
    )
    return load_texts(folder)


def random_texts(count: int, vocabulary: int, longest: int) -> list[list[int]]:
    random = np.random.default_rng(0)
    lengths = random.integers(1, longest + 1, count)
    return [random.integers(4, vocabulary, length).tolist() for length in lengths]
