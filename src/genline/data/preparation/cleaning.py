"""Raw texts made clean, each on its own: a function of one text and the ``prepare`` block."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from genline.core.files import digest_bytes
from genline.data.preparation.config import PrepareTexts
from genline.data.preparation.markup import strip_html
from genline.data.preparation.sentences import split_sentences
from genline.data.sources.items import Keys, TextItem
from genline.data.tokenizer import piece_counter
from genline.data.words import count_words

# Unicode's category Cc but for tabs and what ends a line, which are white space.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
# Soft hyphens, zero-width spaces, byte order marks and marks of direction. Not the zero-width
# joiners, which Indic scripts, Persian and emoji are spelt with.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_LINE_BREAKS = re.compile("[\r\n\v\f\x85\u2028\u2029]+")


@dataclass(frozen=True)
class CleanText:
    """A text as it is split and encoded, and the item it is from."""

    name: str
    text: str
    keys: Keys


def cleaned(text: str, section: PrepareTexts) -> list[str]:
    """The clean texts that ``text`` holds: one, several sentences, or none that is not empty.

    Bounds of length are not looked at: :func:`clean_item` does.
    """
    if section.html == "strip":
        text = strip_html(text)
    if section.invisible == "remove":
        text = _INVISIBLE.sub("", text)
    if section.control != "keep":
        text = _CONTROL.sub(" " if section.control == "space" else "", text)
    if section.unicode != "none":
        text = unicodedata.normalize(section.unicode, text)
    parts = [text] if section.sentences is None else split_sentences(text, section.sentences)
    found = (_one(part, section) for part in parts)
    return [part for part in found if part]


def clean_item(item: TextItem, section: PrepareTexts) -> tuple[list[CleanText], list[str]]:
    """The texts of ``item`` that are within bounds, and why each of the others is not.

    The reasons are ``empty``, ``too_short`` and ``too_long``. The sentences of one item are of
    one group, so that a splitting of groups keeps them on one side.
    """
    texts = cleaned(item.text, section)
    if not texts:
        return [], ["empty"]
    kept, reasons, keys = [], [], item.keys
    if section.sentences is not None and not keys.group:
        keys = replace(keys, group=digest_bytes(item.text.encode()))
    for number, text in enumerate(texts, 1):
        reason = out_of_bounds(text, section)
        name = item.name if section.sentences is None else f"{item.name}, sentence {number}"
        if reason is None:
            kept.append(CleanText(name, text, keys))
        else:
            reasons.append(reason)
    return kept, reasons


def out_of_bounds(text: str, section: PrepareTexts) -> str | None:
    """``empty``, ``too_short`` or ``too_long``; None where ``text`` is within bounds.

    Bounds in tokens count where they are known before training, which those of subwords are not.
    """
    count_tokens = piece_counter(section.tokenizer)
    most_tokens = section.max_tokens if section.too_long == "drop" else None
    for count, least, most in (
        (len, section.min_characters, section.max_characters),
        (count_words, section.min_words, section.max_words),
        (count_tokens, section.min_tokens, most_tokens),
    ):
        if count is None or (least is None and most is None):
            continue
        found = count(text)
        if not found and count is count_tokens:
            return "empty"
        if least is not None and found < least:
            return "too_short"
        if most is not None and found > most:
            return "too_long"
    return None


def _one(text: str, section: PrepareTexts) -> str:
    if section.white_space == "single":
        text = " ".join(text.split())
    elif section.white_space == "lines":
        lines = (" ".join(line.split()) for line in _LINE_BREAKS.split(text))
        text = "\n".join(line for line in lines if line)
    elif not text.strip():
        text = ""
    if not section.lower_case:
        return text
    # Lowering takes some letters apart.
    lowered = text.lower()
    return unicodedata.normalize(section.unicode, lowered) if section.unicode != "none" else lowered
