"""What became of a dataset's items before training: how many are used, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SPLITS = (("train", "training"), ("valid", "validation"), ("test", "test"))
_REASONS = {
    "empty": "empty",
    "too_short": "too short",
    "too_long": "longer than {max_tokens:,} tokens",
    "near_duplicate": "nearly the same as another",
    "unknown_word": "with a word outside the vocabulary of {vocabulary:,}",
}


@dataclass(frozen=True)
class Preparation:
    """Counts of items; ``dropped`` is (reason, count), the most frequent first, none of zero."""

    kind: str
    total: int
    splits: tuple[tuple[str, int], ...]
    dropped: tuple[tuple[str, int], ...]
    lengths: str = ""  # a sentence on texts whose tokens are no words

    @property
    def used(self) -> int:
        return sum(count for _, count in self.splits)

    @property
    def sentence(self) -> str:
        """How many items each split has, what was left out, and how long texts are."""
        *most, last = [f"{count:,} for {words}" for words, count in self.splits]
        splits = f"{', '.join(most)} and {last}"
        used = f"{self.used:,} of {self.total:,} {self.kind}s are used: {splits}"
        if self.dropped:
            reasons = "; ".join(f"{count:,} {words}" for words, count in self.dropped)
            used = f"{used}. Left out: {reasons}"
        return f"{used}. {self.lengths}".rstrip()


def preparation(kind: str, total: int, meta: Mapping[str, Any]) -> Preparation:
    """``meta`` is the content of a prepared dataset's ``meta.json``, ``total`` the raw
    items; where these were split into sentences, ``meta`` says how many texts they gave.

    A reason not known here is spelt out from its name, so that nothing is hidden.
    """
    dropped = [
        (_REASONS.get(reason, reason.replace("_", " ")).format(**meta["spec"]), count)
        for reason, count in meta.get("dropped", {}).items()
        if count
    ]
    return Preparation(
        kind,
        meta.get("texts", total),
        tuple((words, meta["counts"][name]) for name, words in _SPLITS),
        tuple(sorted(dropped, key=lambda pair: (-pair[1], pair[0]))),
        _lengths(meta),
    )


def _lengths(meta: Mapping[str, Any]) -> str:
    if "lengths" not in meta:
        return ""
    characters, tokens = (meta["lengths"][unit] for unit in ("characters", "tokens"))
    return (
        f"A text has {characters['mean']:.1f} characters on average and {characters['most']:,} at "
        f"most, in {tokens['mean']:.1f} and {tokens['most']:,} tokens ({meta['tokenizer']})."
    )
