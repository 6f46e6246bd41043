"""What each Unicode code point is, its script and its part in a text; and texts as code points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

# Bits of ``Unicode.kind``.
SPACE, WORD, ALONE, CONTROL, ASCII_LETTER = 1, 2, 4, 8, 16
_POINTS = 0x110000
# Scripts whose characters are counted one by one, since no space parts their words.
_ALONE = ("Han", "Hiragana", "Katakana", "Bopomofo", "Thai", "Lao", "Myanmar", "Khmer")
# Of no script of their own: Common, Inherited, Unknown.
_NONE = ("Zyyy", "Zinh", "Zzzz")
# Below this stand all characters but private ones, tags and selectors.
_LAST_LETTERS = 0x32400


@dataclass(frozen=True)
class Unicode:
    """Tables over all code points.

    kind: bits (1,114,112); script: index into ``scripts``, 0 for none; lower: the lower-case code
    point where that is a single one.
    """

    kind: npt.NDArray[np.uint8]
    script: npt.NDArray[np.uint8]
    scripts: tuple[str, ...]
    lower: npt.NDArray[np.uint32]


@cache
def unicode_tables() -> Unicode:
    """Scripts are those of Unicode's Scripts.txt (UAX 24), as fontTools carries them."""
    import unicodedata

    from fontTools.unicodedata import Scripts

    codes = sorted(set(Scripts.VALUES) - set(_NONE))
    names = ("", *(Scripts.NAMES[code].replace("_", " ") for code in codes))
    number = {code: i for i, code in enumerate(codes, start=1)}
    lengths = np.diff([*Scripts.RANGES, _POINTS])
    script = np.repeat([number.get(code, 0) for code in Scripts.VALUES], lengths).astype(np.uint8)
    kind = np.zeros(_POINTS, np.uint8)
    lower = np.arange(_POINTS, dtype=np.uint32)
    for point in range(_LAST_LETTERS):
        character = chr(point)
        category = unicodedata.category(character)
        if character.isspace():
            kind[point] |= SPACE
        elif category[0] in "LNM" or category == "Pc":
            kind[point] |= WORD
            small = character.lower()
            if len(small) == 1:
                lower[point] = ord(small)
    kind[np.isin(script, [names.index(name) for name in _ALONE]) & (kind & WORD > 0)] = ALONE
    controls = [*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0)]
    kind[controls] |= CONTROL  # tabs and line breaks aside
    kind[[*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]] |= ASCII_LETTER
    return Unicode(kind, script, names, lower)


@dataclass(frozen=True)
class CodePoints:
    """The characters of many texts one after another.

    points: uint32 (characters,); lengths: int64 (texts,); text_of: the text of each character;
    first: whether it is the first of its text.
    """

    points: npt.NDArray[np.uint32]
    lengths: npt.NDArray[np.int64]
    text_of: npt.NDArray[np.int64]
    first: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, texts: Sequence[str]) -> CodePoints:
        raw = "".join(texts).encode("utf-32-le", "surrogatepass")
        points = np.frombuffer(raw, np.uint32)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        first = np.zeros(len(points), bool)
        first[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
        return cls(points, lengths, np.repeat(np.arange(len(texts)), lengths), first)

    def starts(self, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Where a run of ``inside`` begins; none goes over from one text to the next."""
        before = np.concatenate([[False], inside[:-1]])
        return np.asarray(inside & (self.first | ~before))

    def ends(self, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Where a run of ``inside`` has its last character."""
        after = np.concatenate([inside[1:], [False]])
        last = np.concatenate([self.first[1:], [True]])[: len(inside)]
        return np.asarray(inside & (last | ~after[: len(inside)]))
