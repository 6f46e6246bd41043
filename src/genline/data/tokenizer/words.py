"""Whole words as tokens.

A text is cut into words, numbers and punctuation marks. The first word of a sentence loses its
capital when the vocabulary knows it better without, so "The" and "the" are one token while
"Python" and "HTTP" keep theirs; decoding gives the capital back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.trainers import WordLevelTrainer

from genline.data.prepared import SPECIAL_TOKENS, UNK
from genline.data.tokenizer.scheme import Ids, Scheme

# Words with inner apostrophes and hyphens ("don't", "two-dimensional"), numbers, single marks.
PIECE = r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+|[^\w\s]|_"
_PIECE = re.compile(PIECE)
_PIECES = Split(Regex(PIECE), behavior="removed", invert=True)
_SENTENCE_START = re.compile(r"(?:^|[.!?]\s)[\s\"'(]*([^\W\d_]+(?:['’-][^\W\d_]+)*)")
_ENDS = frozenset(".!?")
_CLOSING = frozenset(".,;:!?)]}%")
_OPENING = frozenset("([{")
_QUOTES = frozenset("\"'")


def count_pieces(text: str) -> int:
    """Tokens of ``text``, without marks."""
    # By the tokenizer's own engine: \w is not quite the same set for Python's.
    return len(_PIECES.pre_tokenize_str(text))


class Words(Scheme):
    """The most frequent words and marks; decoding puts the spaces where they usually stand."""

    subword = False

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self._ids: dict[str, int] = tokenizer.get_vocab()
        self._words = sorted(self._ids, key=self._ids.__getitem__)

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Self:
        """Ids follow falling frequency, ties in alphabetical order."""
        elsewhere: Counter[str] = Counter()
        for text in texts:
            elsewhere.update(_PIECE.findall(text))
            elsewhere.subtract(_SENTENCE_START.findall(text))  # each of them is a piece
        tokenizer = _word_tokenizer({})
        trainer = WordLevelTrainer(
            vocab_size=size, special_tokens=list(SPECIAL_TOKENS), show_progress=False
        )
        lowered = _lower_starts(texts, lambda word, low: elsewhere[low] >= elsewhere[word])
        tokenizer.train_from_iterator(lowered, trainer)
        # Without the trainer's marks, which would be found in a text that spells "<eos>" out.
        return cls(_word_tokenizer(tokenizer.get_vocab()))

    @classmethod
    def made(cls, tokenizer: Tokenizer, cut: Mapping[str, Any]) -> bool:
        return isinstance(tokenizer.model, WordLevel) and bool(cut.get("invert"))

    @staticmethod
    def counter() -> Callable[[str], int]:
        return count_pieces

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        lowered = list(_lower_starts(texts, self._better_lower))
        encodings = self.tokenizer.encode_batch_fast(lowered, add_special_tokens=False)
        return [np.array(encoding.ids, np.uint32) for encoding in encodings]

    def decode(self, tokens: Sequence[int]) -> str:
        return join_words([self._words[token] for token in tokens])

    def _better_lower(self, word: str, low: str) -> bool:
        # Ids follow frequency, so the smaller is the likelier.
        unknown = len(self._words)
        return self._ids.get(low, unknown) <= self._ids.get(word, unknown)


def _word_tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=SPECIAL_TOKENS[UNK]))
    tokenizer.pre_tokenizer = _PIECES
    return tokenizer


def join_words(words: Sequence[str]) -> str:
    """Words and marks as running text, each sentence with a capital."""
    text, glue, start = "", True, True
    quote_open = dict.fromkeys(_QUOTES, False)
    for word in words:
        if word in _QUOTES:
            closing = quote_open[word]
            quote_open[word] = not closing
            text += word if closing or glue else f" {word}"
            glue = not closing
            continue
        joined = glue or word in _CLOSING
        if word in _ENDS:
            start = True
        elif start and word[:1].isalnum():
            word, start = word[:1].upper() + word[1:], False
        text += word if joined else f" {word}"
        glue = word in _OPENING
    return text


def _lower_starts(texts: Iterable[str], lower: Callable[[str, str], bool]) -> Iterator[str]:
    """Texts with Capitalised sentence starts lowered where ``lower(word, lowered)`` says so."""

    def replace(match: re.Match[str]) -> str:
        word = match.group(1)
        low = word[0].lower() + word[1:]
        if low == word or not (word[1:].islower() or len(word) == 1) or not lower(word, low):
            return match.group()
        return match.group()[: -len(word)] + low

    for text in texts:
        yield _SENTENCE_START.sub(replace, text)
