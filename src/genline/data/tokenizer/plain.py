"""Tokens that need no rule: what stands between spaces, and single characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import PreTokenizer, Split, WhitespaceSplit

from genline.data.prepared import SPECIAL_TOKENS, UNK
from genline.data.tokenizer.scheme import Counted, Ids, Tally, ranked, with_special_tokens

_CODE_POINTS = 0x110000


class Whitespace(Counted):
    """What stands between spaces, for corpora that come cut into tokens.

    The words of the Penn Treebank and of other published benchmarks are counted so; their own
    "<unk>" is UNK.
    """

    subword = False

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        vocabulary = tokenizer.get_vocab()
        self._words = sorted(vocabulary, key=vocabulary.__getitem__)
        # No text may spell an end mark out.
        self._ids = {w: i for w, i in vocabulary.items() if w not in SPECIAL_TOKENS}

    @staticmethod
    def counter() -> Callable[[str], int]:
        return lambda text: len(text.split())

    @classmethod
    def count(cls, texts: Iterable[str]) -> Tally:
        tally = Tally()
        for text in texts:
            tally.pieces.update(text.split())
        return tally

    @classmethod
    def from_counts(cls, tally: Tally, size: int) -> Self:
        return cls(_tokenizer(tally, size, WhitespaceSplit()))

    @classmethod
    def made(cls, tokenizer: Tokenizer, cut: Mapping[str, Any]) -> bool:
        return isinstance(tokenizer.model, WordLevel) and cut.get("type") == "WhitespaceSplit"

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        get = self._ids.get
        return [
            np.fromiter(map(get, words, repeat(UNK)), np.uint32, len(words))
            for words in map(str.split, texts)
        ]

    def decode(self, tokens: Sequence[int]) -> str:
        return " ".join(self._words[token] for token in tokens)


class Characters(Counted):
    """Single characters, that is Unicode code points, white space among them."""

    subword = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        vocabulary = tokenizer.get_vocab()
        self._characters = sorted(vocabulary, key=vocabulary.__getitem__)
        self._ids: npt.NDArray[np.uint32] = np.full(_CODE_POINTS, UNK, np.uint32)
        for character, index in vocabulary.items():
            if len(character) == 1:
                self._ids[ord(character)] = index

    @staticmethod
    def counter() -> Callable[[str], int]:
        return len

    @classmethod
    def count(cls, texts: Iterable[str]) -> Tally:
        tally = Tally()
        for text in texts:
            tally.pieces.update(text)
        return tally

    @classmethod
    def from_counts(cls, tally: Tally, size: int) -> Self:
        return cls(_tokenizer(tally, size, Split(Regex(r"[\s\S]"), "isolated")))

    @classmethod
    def made(cls, tokenizer: Tokenizer, cut: Mapping[str, Any]) -> bool:
        alone = cut.get("type") == "Split" and not cut.get("invert")
        return isinstance(tokenizer.model, WordLevel) and alone

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        # Every character is four bytes in UTF-32, so that its bytes are its number.
        return [self._ids[np.frombuffer(t.encode("utf-32-le"), "<u4")] for t in texts]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(self._characters[token] for token in tokens)


def _tokenizer(tally: Tally, size: int, cut: PreTokenizer) -> Tokenizer:
    vocabulary = with_special_tokens(ranked(tally.pieces), size)
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=SPECIAL_TOKENS[UNK]))
    tokenizer.pre_tokenizer = cut
    return tokenizer
