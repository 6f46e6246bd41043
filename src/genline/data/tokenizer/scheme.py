"""The way a tokenizer cuts texts: what each of them has to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from genline.data.prepared import SPECIAL_TOKENS

Ids = npt.NDArray[np.uint32]


class Scheme(ABC):
    """A trained vocabulary, held by a tokenizer of the library, which also writes the file.

    Ids 0 to 3 are the special tokens, which no text encodes to but for UNK. A class of it holds
    what can be said before a vocabulary is there.
    """

    # Whether tokens are parts of words, so that a figure a token says little to a reader.
    subword: ClassVar[bool]

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @classmethod
    @abstractmethod
    def train(cls, texts: Iterable[str], size: int) -> Self:
        """A vocabulary of at most ``size`` tokens, special ones included.

        ``texts`` may be read more than once. The result is a function of the texts.
        """

    @classmethod
    @abstractmethod
    def made(cls, tokenizer: Tokenizer, cut: Mapping[str, Any]) -> bool:
        """Whether ``tokenizer`` is of this scheme; ``cut``: its pre-tokenizer in the file."""

    @staticmethod
    def counter() -> Callable[[str], int] | None:
        """What counts the tokens of a text without a vocabulary; None where nothing can."""
        return None

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of each text, uint32 (length,), without marks."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ``tokens``, among which are no marks."""


@dataclass
class Tally:
    """How often what stands in some texts does.

    pieces: the tokens. Of texts whose sentences lose their first capital also ``starts``: of each
    first word the word itself, the piece it is in, and what that is with a small letter, both ''
    where the letter stays; and ``unlike``: how much more often a word is met than the piece is.
    """

    pieces: Counter[str] = field(default_factory=Counter)
    starts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unlike: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Those of other texts too."""
        self.pieces.update(other.pieces)
        self.starts.update(other.starts)
        self.unlike.update(other.unlike)


class Counted(Scheme):
    """A vocabulary of the most frequent tokens: texts are counted in parts, anywhere, and once."""

    @classmethod
    @abstractmethod
    def count(cls, texts: Iterable[str]) -> Tally:
        """What decides the vocabulary; of all texts it is the sum of those of the parts."""

    @classmethod
    @abstractmethod
    def from_counts(cls, tally: Tally, size: int) -> Self:
        """The vocabulary: ids follow falling frequency, ties in the order of Unicode."""

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Self:
        return cls.from_counts(cls.count(texts), size)


def ranked(counts: Mapping[str, int]) -> list[str]:
    """The tokens that occur, the most frequent first, ties in the order of Unicode."""
    return sorted((t for t, n in counts.items() if n > 0), key=lambda t: (-counts[t], t))


def with_special_tokens(tokens: Iterable[str], size: int) -> dict[str, int]:
    """A vocabulary: the special tokens, then the first of ``tokens`` up to ``size`` in all."""
    vocabulary = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    for token in tokens:
        if len(vocabulary) >= size:
            break
        vocabulary.setdefault(token, len(vocabulary))
    return vocabulary
