"""Made-up data of the shapes that are measured, so that anyone can measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from genline.core.files import write_json
from genline.data.prepared import (
    PreparedImages,
    PreparedTexts,
    TextSplit,
    load_images,
    load_texts,
)

_FEWEST, _MORE = 7, (5.0, 0.7)  # words of a COCO caption: 7 and a gamma-mixed Poisson more
_LONGEST = 32
_MARKS = 4  # ids below are PAD, BOS, EOS, UNK


def blobs(count: int, channels: int, side: int, seed: int) -> npt.NDArray[np.uint8]:
    """Pictures of two soft discs each, uint8 (count, channels, side, side)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side
    images = np.zeros((count, channels, side, side), np.float32)
    for _ in range(2):
        y, x, size = random.uniform((0.2, 0.2, 0.08), (0.8, 0.8, 0.2), (count, 3)).T[
            ..., None, None
        ]
        disc = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / size**2)
        shade = random.uniform(0.5, 1.0, (count, channels, 1, 1))
        images += shade * disc[:, None]
    return (255 * images.clip(0, 1)).astype(np.uint8)


def captions(count: int, vocabulary: int, seed: int) -> TextSplit:
    """Texts as long as COCO's captions (10.5 words, a deviation of 2.4), words by Zipf's law."""
    random = np.random.default_rng(seed)
    lengths = _FEWEST + random.poisson(random.gamma(*_MORE, count))
    lengths = lengths.clip(max=_LONGEST)
    chances = 1.0 / np.arange(10, vocabulary - _MARKS + 10)
    words = random.choice(vocabulary - _MARKS, lengths.sum(), p=chances / chances.sum())
    offsets = np.concatenate([[0], lengths.cumsum()])
    return TextSplit((words + _MARKS).astype(np.uint16), offsets)


def prepared_images(
    folder: Path, channels: int, side: int, train: int = 10_000, other: int = 2000
) -> PreparedImages:
    folder.mkdir(parents=True)
    counts = {"train": train, "valid": other, "test": other}
    for seed, (split, count) in enumerate(counts.items()):
        np.save(folder / f"{split}_images.npy", blobs(count, channels, side, seed))
    spec = {"kind": "image", "channels": channels, "height": side, "width": side}
    write_json(
        folder / "meta.json", {"spec": {**spec, "levels": 256, "classes": 0}, "counts": counts}
    )
    return load_images(folder)


def prepared_texts(folder: Path, vocabulary: int, train: int = 20_000) -> PreparedTexts:
    folder.mkdir(parents=True)
    counts = {"train": train, "valid": 1000, "test": 1000}
    for seed, (split, count) in enumerate(counts.items()):
        texts = captions(count, vocabulary, seed)
        np.save(folder / f"{split}_tokens.npy", texts.tokens)
        np.save(folder / f"{split}_offsets.npy", texts.offsets)
    spec = {"kind": "text", "vocabulary": vocabulary, "max_tokens": _LONGEST}
    write_json(folder / "meta.json", {"spec": spec, "counts": counts})
    return load_texts(folder)
