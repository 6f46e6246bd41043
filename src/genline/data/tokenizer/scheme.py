"""The way a tokenizer cuts texts: what each of them has to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def with_special_tokens(ranked: Iterable[str], size: int) -> dict[str, int]:
    """A vocabulary: the special tokens, then the first of ``ranked`` up to ``size`` in all."""
    vocabulary = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    for token in ranked:
        if len(vocabulary) >= size:
            break
        vocabulary.setdefault(token, len(vocabulary))
    return vocabulary
