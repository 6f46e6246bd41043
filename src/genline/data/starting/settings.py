"""The ``prepare`` block for data that was looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from genline.data.sources.items import TextItem
from genline.data.tokenizer import PIECE

_LONGEST = 128  # tokens: a recurrent network learns little from longer texts
_SMALL, _LARGE = 2_000, 10_000  # words of a vocabulary


def prepare_images(splits: set[str], labelled: bool) -> str:
    """YAML text, indented as in params.yaml."""
    groups = {"clusters": (10, "groups of like images that stand for classes, 2 to 1000")}
    return f"    prepare:\n{_shares(splits)}" + ("" if labelled else _aligned(groups))


def prepare_texts(items: Iterable[TextItem], splits: set[str]) -> str:
    """YAML text, with the length and vocabulary that hold most of the texts."""
    lengths: list[int] = []
    words: Counter[str] = Counter()
    for item in items:
        pieces = re.findall(PIECE, item.text)
        lengths.append(len(pieces))
        words.update(pieces)
    most = int(min(_LONGEST, max(4, np.quantile(lengths, 0.95))))
    share = float(np.mean([length <= most for length in lengths]))
    size = _vocabulary(words)
    return f"    prepare:\n{_shares(splits)}" + _aligned(
        {
            "near_duplicates": (
                0.8,
                "word-3-gram Jaccard with a kept text that drops one, in (0, 1]",
            ),
            "vocabulary": (size, "words and marks kept, 4 special tokens included, 8 to 65536"),
            "max_tokens": (most, f"longer texts are dropped, 1 to 1024 tokens; {share:.0%} stay"),
            "unknown": ("keep", "texts with a word outside it: drop, or keep (shown as <unk>)"),
        }
    )


def _aligned(rows: Mapping[str, tuple[object, str]]) -> str:
    widest = max(len(f"{key}: {value}") for key, (value, _) in rows.items())
    return "".join(
        f"      {f'{key}: {value}':<{widest}}  # {about}\n" for key, (value, about) in rows.items()
    )


def _shares(splits: set[str]) -> str:
    if splits == {""}:
        way = ("hash", "hash: new data never moves an item; or shuffle: exact shares")
    else:
        missing = sorted({"valid", "test"} - splits)
        of_train = f"; for want of {' and '.join(missing)}, shares of train" if missing else ""
        way = ("given", f"as the source says{of_train}")
    return _aligned(
        {
            "valid": (0.1, "share of items for validation, in (0, 0.5)"),
            "test": (0.1, "share of items for testing, in (0, 0.5)"),
            "split": way,
        }
    )


def _vocabulary(words: Counter[str]) -> int:
    repeated = sum(count > 1 for count in words.values())
    return int(min(_LARGE, max(_SMALL if repeated > _SMALL else 64, repeated)))
