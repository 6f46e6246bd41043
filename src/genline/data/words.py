"""What counts as a word, in any script.

Han, kana, Thai and their like are written without spaces between words: there each character
counts as one.
"""

from __future__ import annotations

import re

# The body of a character class.
UNSPACED = (
    "\u0e00-\u0eff"  # Thai and Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"  # kana, and the marks that stand for a character
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_LETTER = rf"[^\W\d_{UNSPACED}]"
_WORD = rf"[{UNSPACED}]|{_LETTER}+(?:['’-]{_LETTER}+)*|\d+"
WORD = re.compile(_WORD)
WORD_OR_MARK = re.compile(rf"{_WORD}|[^\w\s]|_")
_UNSPACED = re.compile(rf"[{UNSPACED}]")


def count_words(text: str) -> int:
    """Words and numbers of ``text``, marks not counted; "don't" and "well-known" are one."""
    return len(WORD.findall(text))


def count_words_and_marks(text: str) -> int:
    """Words, numbers and single marks of ``text``: the tokens of a word vocabulary."""
    return len(WORD_OR_MARK.findall(text))


def count_unspaced(text: str) -> int:
    """Characters of ``text`` that belong to scripts without spaces."""
    return len(_UNSPACED.findall(text))


def unspaced_share(text: str) -> float:
    """Share of the letters of ``text`` that belong to scripts without spaces; 0 without letters."""
    letters = sum(map(str.isalpha, text))
    return min(1.0, count_unspaced(text) / letters) if letters else 0.0
