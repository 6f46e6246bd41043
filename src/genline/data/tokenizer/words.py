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

from genline.data.prepared import SPECIAL_TOKENS, UNK
from genline.data.tokenizer.scheme import Counted, Ids, Tally, ranked, with_special_tokens

# Words with inner apostrophes and hyphens ("don't", "two-dimensional"), numbers, single marks.
PIECE = r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+|[^\w\s]|_"
_PIECE = re.compile(PIECE)
_PIECES = Split(Regex(PIECE), behavior="removed", invert=True)
# Where both engines of patterns find the same pieces.
_ALIKE = re.compile(r"[\x00-\x1b\x20-\x7f]*")
_SENTENCE_START = re.compile(r"(?:^|[.!?]\s)[\s\"'(]*([^\W\d_]+(?:['’-][^\W\d_]+)*)")
_ENDS = frozenset(".!?")
_CLOSING = frozenset(".,;:!?)]}%")
_OPENING = frozenset("([{")
_QUOTES = frozenset("\"'")


def count_pieces(text: str) -> int:
    """Tokens of ``text``, without marks."""
    return len(_cut(text))


def _cut(text: str) -> list[str]:
    """The pieces of ``text``, by Python's engine where it finds those of the tokenizer's own.

    That is several times as fast, but \\w is not quite the same set for it.
    """
    if _ALIKE.fullmatch(text):
        return _PIECE.findall(text)
    return [piece for piece, _ in _PIECES.pre_tokenize_str(text)]


class Words(Counted):
    """The most frequent words and marks; decoding puts the spaces where they usually stand."""

    subword = False

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self._ids: dict[str, int] = tokenizer.get_vocab()
        self._words = sorted(self._ids, key=self._ids.__getitem__)

    @classmethod
    def count(cls, texts: Iterable[str]) -> Tally:
        tally = Tally()
        found: Iterable[tuple[str, str, str]]
        for text in texts:
            words = _PIECE.findall(text)
            if _ALIKE.fullmatch(text):
                tally.pieces.update(words)
                found = ((word, word, _lowered(word)) for word in _SENTENCE_START.findall(text))
            else:
                pieces = _PIECES.pre_tokenize_str(text)
                tally.pieces.update(piece for piece, _ in pieces)
                tally.unlike.update(words)
                tally.unlike.subtract(piece for piece, _ in pieces)
                found = _starts(text, [span for _, span in pieces])
            tally.starts.update(
                (word, piece, low) if low else (word, "", "") for word, piece, low in found
            )
        return tally

    @classmethod
    def from_counts(cls, tally: Tally, size: int) -> Self:
        """A first word is lowered where the small one is met no less often within sentences."""
        within = tally.pieces + Counter()
        within.update(tally.unlike)
        for (word, _, _), count in tally.starts.items():
            within[word] -= count
        counts = Counter(tally.pieces)
        for (word, piece, lowered), count in tally.starts.items():
            if lowered and within[_lowered(word)] >= within[word]:
                counts[piece] -= count
                for part in _cut(lowered):
                    counts[part] += count
        return cls(_word_tokenizer(with_special_tokens(ranked(counts), size)))

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


def _starts(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[str, str, str]]:
    """Of each sentence its first word, the piece that is in, and the same with a small letter."""
    place = 0
    for match in _SENTENCE_START.finditer(text):
        word, first = match[1], match.start(1)
        while place < len(spans) and spans[place][1] <= first:
            place += 1
        lowered = _lowered(word)
        if not lowered or place == len(spans) or spans[place][0] > first:
            yield word, "", ""
            continue
        begin, end = spans[place]
        small = lowered[: len(lowered) - len(word) + 1]
        yield word, text[begin:end], f"{text[begin:first]}{small}{text[first + 1 : end]}"


def _lowered(word: str) -> str:
    """A capitalised word with a small letter, '' of any other."""
    low = word[0].lower() + word[1:]
    return low if low != word and (len(word) == 1 or word[1:].islower()) else ""


def _lower_starts(texts: Iterable[str], lower: Callable[[str, str], bool]) -> Iterator[str]:
    """Texts with Capitalised sentence starts lowered where ``lower(word, lowered)`` says so."""

    def replace(match: re.Match[str]) -> str:
        word = match.group(1)
        low = _lowered(word)
        if not low or not lower(word, low):
            return match.group()
        return match.group()[: -len(word)] + low

    for text in texts:
        yield _SENTENCE_START.sub(replace, text)
