"""Statistics of texts, of many at once: their characters as one array of code points."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from genline.data.min_hash import signatures
from genline.data.shingles import Words
from genline.data.unicode import (
    ALONE,
    ASCII_LETTER,
    CONTROL,
    SPACE,
    WORD,
    CodePoints,
    unicode_tables,
)

# The columns of shares by script, and the scripts of each.
SCRIPTS = {
    "latin": ("Latin",),
    "cyrillic": ("Cyrillic",),
    "greek": ("Greek",),
    "arabic": ("Arabic",),
    "hebrew": ("Hebrew",),
    "devanagari": ("Devanagari",),
    "thai": ("Thai",),
    "han": ("Han",),
    "kana": ("Hiragana", "Katakana"),
    "hangul": ("Hangul",),
}
OTHER_SCRIPTS = "other_scripts"
_REPLACEMENT = 0xFFFD
_FEW_WORDS = 4

Columns = dict[str, npt.NDArray[Any]]
Counts = npt.NDArray[np.int64]


def statistics(texts: Sequence[str], hashes: int) -> tuple[Columns, npt.NDArray[np.uint32]]:
    """Columns of one value a text, and ``hashes`` min-hashes of each: uint32 (texts, hashes).

    Memory is about 60 bytes a character of all texts together.
    """
    tables = unicode_tables()
    own = CodePoints.of(texts)
    points, text_of = own.points, own.text_of
    kind = tables.kind[points]
    solid, word, alone = kind & SPACE == 0, kind & WORD > 0, kind & ALONE > 0

    def count(marked: npt.NDArray[np.bool_]) -> Counts:
        return np.bincount(text_of[marked], minlength=len(texts))

    marks = solid & ~word & ~alone & (kind & CONTROL == 0)
    solids = np.maximum(count(solid), 1)
    words = Words.of(texts, own)
    columns: Columns = {
        "characters": own.lengths,
        "words": count(own.starts(solid)),
        "tokens": words.counts() + count(marks),
        "control_characters": count(kind & CONTROL > 0),
        "replacement_characters": count(points == _REPLACEMENT),
        "ascii_letters": count(kind & ASCII_LETTER > 0) / solids,
        "repetition": _repetition(words),
        **_scripts(tables.script[points], text_of, len(texts)),
    }
    found = signatures(*words.grams(), hashes)
    for i in np.flatnonzero(words.counts() == 0).tolist():  # else alike, for want of words
        content = texts[i].encode("utf-8", "surrogatepass")
        found[i] = np.frombuffer(hashlib.shake_128(content).digest(4 * hashes), np.uint32)
    return columns, found


def grams(text: str) -> npt.NDArray[np.uint64]:
    """The different word 3-grams of one text, as hashes, rising."""
    return np.unique(Words.of([text]).grams()[0])


def _repetition(words: Words) -> npt.NDArray[np.float64]:
    """Share of the most frequent word, case aside; 0 where there are few words."""
    counts, most = words.counts(), words.most_frequent()
    return np.where(counts >= _FEW_WORDS, most / np.maximum(counts, 1), 0.0)


def _scripts(script: npt.NDArray[np.uint8], text_of: Counts, texts: int) -> Columns:
    """The script of most of a text's letters, and the shares of the common ones."""
    names = unicode_tables().scripts
    cells = text_of * len(names) + script
    table = np.bincount(cells, minlength=texts * len(names)).reshape(texts, len(names))
    table[:, 0] = 0  # of no script: digits, marks, spaces
    letters = np.maximum(table.sum(1), 1)
    shares = {
        column: table[:, [names.index(name) for name in scripts]].sum(1) / letters
        for column, scripts in SCRIPTS.items()
    }
    known = [names.index(name) for scripts in SCRIPTS.values() for name in scripts]
    table_of_others = np.delete(table, known, axis=1)
    main = np.array(names, object)[table.argmax(1)]
    return {"script": main, **shares, OTHER_SCRIPTS: table_of_others.sum(1) / letters}
