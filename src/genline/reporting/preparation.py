"""What became of a dataset's items before training: how many are used, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SPLITS = (("train", "training"), ("valid", "validation"), ("test", "test"))
_REASONS = {
    "empty": "empty",
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

    @property
    def used(self) -> int:
        return sum(count for _, count in self.splits)

    @property
    def sentence(self) -> str:
        """How many items each split has, and what was left out."""
        *most, last = [f"{count:,} for {words}" for words, count in self.splits]
        splits = f"{', '.join(most)} and {last}"
        used = f"{self.used:,} of {self.total:,} {self.kind}s are used: {splits}"
        if not self.dropped:
            return f"{used}."
        reasons = "; ".join(f"{count:,} {words}" for words, count in self.dropped)
        return f"{used}. Left out: {reasons}."


def preparation(kind: str, total: int, meta: Mapping[str, Any]) -> Preparation:
    """``meta`` is the content of a prepared dataset's ``meta.json``, ``total`` the raw items.

    A reason not known here is spelt out from its name, so that nothing is hidden.
    """
    dropped = [
        (_REASONS.get(reason, reason.replace("_", " ")).format(**meta["spec"]), count)
        for reason, count in meta.get("dropped", {}).items()
        if count
    ]
    return Preparation(
        kind,
        total,
        tuple((words, meta["counts"][name]) for name, words in _SPLITS),
        tuple(sorted(dropped, key=lambda pair: (-pair[1], pair[0]))),
    )
