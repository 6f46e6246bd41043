"""The ``prepare`` block for data that was looked at."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from genline.data.preparation.config import SMALLEST_OF_BYTES
from genline.data.preparation.markup import holds_html, strip_html
from genline.data.prepared import SPECIAL_TOKENS
from genline.data.sources.items import TextItem
from genline.data.tokenizer.text_tokenizer import SCHEMES, TextTokenizer
from genline.data.tokenizer.words import PIECE
from genline.data.words import WORD_OR_MARK, unspaced_share

_LONGEST = 128  # tokens: a recurrent network learns little from longer texts
_SMALL, _LARGE = 2_000, 10_000  # tokens of a vocabulary
_SAMPLE = 2_000  # texts that the kind of tokenizer is told by
_FEW = 0.5  # share of the texts below which too few would be left
# Shares of letters from scripts without spaces.
_SOME, _MOSTLY = 0.02, 0.9
# Share of marks that stand apart from the word before them, as in texts cut into tokens.
_MOST_APART = 0.9
_MARK_APART = re.compile(r"\s[.,;?!](?=\s|$)")
_MARK_JOINED = re.compile(r"\S[.,;?!](?=\s|$)")
# What is a token, or comes near one, while there is no vocabulary.
_PIECES = {
    "word": PIECE,
    "whitespace": r"\S+",
    "character": r"[\s\S]",
    "bpe": WORD_OR_MARK.pattern,
}


def prepare_images(splits: set[str], labelled: bool) -> str:
    """YAML text, indented as in params.yaml."""
    groups = {"clusters": (10, "groups of like images that stand for classes, 2 to 1000")}
    return f"    prepare:\n{_shares(splits)}" + ("" if labelled else _aligned(groups))


def prepare_texts(items: Iterable[TextItem], splits: set[str]) -> str:
    """YAML text, with the tokenizer, the length and the vocabulary that hold most of the texts."""
    texts = [item.text for item in items]
    strip = any(map(holds_html, texts))
    if strip:
        texts = [strip_html(text) for text in texts]
    kind, why = _tokenizer(texts)
    size, lengths, covered = _sizes(texts, kind)
    most = int(min(_LONGEST, max(4, np.quantile(lengths, 0.95))))
    share = float(np.mean([length <= most for length in lengths]))
    least = SMALLEST_OF_BYTES if kind == "bpe" else 8
    what = "dropped" if share > _FEW else "cut"
    rows: dict[str, tuple[object, str]] = {
        "near_duplicates": (0.8, "word-3-gram Jaccard with a kept text that drops one, in (0, 1]"),
        "tokenizer": (kind, f"{why}; or {_others(kind)}"),
        "vocabulary": (
            size,
            f"tokens kept, 4 special ones included, {least} to 65536; {_percent(covered)} of those "
            "of the texts are among them",
        ),
        "max_tokens": (
            most,
            f"longer texts are {what}, 1 to 1024 tokens; {_percent(share)} are within",
        ),
        "unknown": ("keep", "texts with a token outside it: drop, or keep (shown as <unk>)"),
    }
    if what == "cut":
        about = "cut them there, or drop them; with `sentences: en` each sentence is a text"
        rows["too_long"] = ("cut", about)
    if strip:
        rows["html"] = ("strip", "tags and entities of HTML, which some texts have: strip or keep")
    return f"    prepare:\n{_shares(splits)}" + _aligned(rows)


def _tokenizer(texts: Sequence[str]) -> tuple[str, str]:
    """The kind of tokenizer that suits ``texts``, and why."""
    spread = texts[:: max(1, len(texts) // _SAMPLE)]
    unspaced = unspaced_share("".join(spread))
    if unspaced > _MOSTLY:
        return "character", "a script without spaces"
    if unspaced > _SOME:
        return "bpe", "scripts with and without spaces"
    apart = sum(len(_MARK_APART.findall(text)) for text in spread)
    joined = sum(len(_MARK_JOINED.findall(text)) for text in spread)
    if apart > _MOST_APART * (apart + joined) or any("<unk>" in text for text in spread):
        return "whitespace", "the texts come cut into tokens"
    return "word", "words and marks"


def _sizes(texts: Sequence[str], kind: str) -> tuple[int, list[int], float]:
    """The size of a vocabulary, how many tokens each text has with it, and the share of all
    tokens that are in it."""
    pieces = re.compile(_PIECES[kind]).findall
    lengths: list[int] = []
    tokens: Counter[str] = Counter()
    for text in texts:
        found = pieces(text)
        lengths.append(len(found))
        tokens.update(found)
    if kind != "bpe":
        size = _vocabulary(tokens)
        known = sum(count for _, count in tokens.most_common(size - len(SPECIAL_TOKENS)))
        return size, lengths, known / max(1, tokens.total())
    # Characters and words alike want tokens of their own, beside those of the bytes.
    repeated = sum(count > 1 for count in tokens.values())
    size = min(_LARGE, SMALLEST_OF_BYTES + 2 * repeated)
    tokenizer = TextTokenizer.train(texts, size, kind)
    return size, tokenizer.encode_flat(texts)[1].tolist(), 1.0


def _percent(share: float) -> str:
    """Rounded down: all only where it is all."""
    return f"{math.floor(100 * share)} %"


def _others(kind: str) -> str:
    *some, last = (name for name in SCHEMES if name != kind)
    return f"{', '.join(some)} or {last}"


def _aligned(rows: Mapping[str, tuple[object, str]]) -> str:
    widest = max(len(f"{key}: {value}") for key, (value, _) in rows.items())
    return "".join(
        f"      {f'{key}: {value}':<{widest}}  # {about}\n" for key, (value, about) in rows.items()
    )


def _shares(splits: set[str]) -> str:
    if splits == {""}:
        way = ("hash", "hash: new data never moves an item; or shuffle: exact shares")
    else:
        missing = sorted({"valid", "test"} - splits)
        of_train = f"; for want of {' and '.join(missing)}, shares of train" if missing else ""
        way = ("given", f"as the source says{of_train}")
    return _aligned(
        {
            "valid": (0.1, "share of items for validation, in (0, 0.5)"),
            "test": (0.1, "share of items for testing, in (0, 0.5)"),
            "split": way,
        }
    )


def _vocabulary(words: Counter[str]) -> int:
    repeated = sum(count > 1 for count in words.values())
    return int(min(_LARGE, max(_SMALL if repeated > _SMALL else 64, repeated)))
