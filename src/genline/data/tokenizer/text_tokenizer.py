"""The tokenizer of a data set: trained on its train split, kept in one JSON file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from genline.core.errors import DataError
from genline.data.prepared import SPECIAL_TOKENS, UNK
from genline.data.tokenizer.plain import Characters, Whitespace
from genline.data.tokenizer.scheme import Counted, Scheme
from genline.data.tokenizer.subwords import Bpe, Unigram
from genline.data.tokenizer.words import Words

SCHEMES: dict[str, type[Scheme]] = {
    "word": Words,
    "whitespace": Whitespace,
    "character": Characters,
    "bpe": Bpe,
    "unigram": Unigram,
}


def counted(kind: str) -> type[Counted] | None:
    """The scheme of ``kind`` where its vocabulary is counted, part by part; None of the others."""
    scheme = SCHEMES[kind]
    return scheme if issubclass(scheme, Counted) else None


def piece_counter(kind: str) -> Callable[[str], int] | None:
    """What counts the tokens of a text before there is a vocabulary; None for subwords."""
    return SCHEMES[kind].counter()


class TextTokenizer:
    """A vocabulary with fixed special ids; :meth:`to_json` and :meth:`load` keep it in one file.

    The file is one of the ``tokenizers`` library, which reads it without genline.
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        first = [scheme.tokenizer.id_to_token(i) for i in range(len(SPECIAL_TOKENS))]
        if tuple(first) != SPECIAL_TOKENS:
            raise DataError(
                f"tokenizer starts with {first}, wanted {list(SPECIAL_TOKENS)}; "
                "prepare the data again"
            )

    @classmethod
    def train(cls, texts: Iterable[str], size: int, kind: str = "word") -> TextTokenizer:
        """The tokenizer of ``kind``, a key of ``SCHEMES``, with a vocabulary of at most ``size``.

        ``texts`` is read more than once, so it is no iterator; the same texts in the same order
        give the same tokenizer.
        """
        return cls(SCHEMES[kind].train(texts, size))

    @classmethod
    def load(cls, path: Path | str) -> TextTokenizer:
        """Raises DataError when the file is missing or no tokenizer of genline's."""
        try:
            content = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise DataError(f"{path}: no such file; run `dvc repro` to prepare the data") from None
        try:
            return cls(_scheme(content))
        except Exception as error:  # the library raises bare Exception
            raise DataError(f"{path}: not a tokenizer ({error}); prepare the data again") from None

    def to_json(self) -> str:
        return self.scheme.tokenizer.to_str(pretty=True)

    @property
    def size(self) -> int:
        """Token ids there are, special ones included."""
        return self.scheme.tokenizer.get_vocab_size()

    @property
    def subword(self) -> bool:
        """Whether tokens are parts of words or characters."""
        return self.scheme.subword

    def encode(self, texts: Iterable[str]) -> list[npt.NDArray[np.int64]]:
        """Ids of each text, int64 (length,), without marks; unknown pieces are UNK."""
        return [ids.astype(np.int64) for ids in self.scheme.encode(list(texts))]

    def encode_flat(self, texts: Iterable[str]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Ids of all texts one after another, and how many each has.

        The ids are of :func:`token_dtype`, as they are packed; the lengths int64 (texts,).
        """
        encoded = self.scheme.encode(list(texts))
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        flat = np.concatenate(encoded) if encoded else np.empty(0, np.uint32)
        return flat.astype(token_dtype(self.size)), lengths

    def decode(self, ids: Iterable[int]) -> str:
        """A readable text: special tokens but <unk> left out."""
        return self.scheme.decode([index for index in map(int, ids) if index >= UNK])


def token_dtype(vocabulary: int) -> np.dtype[Any]:
    """The smallest unsigned type that holds the ids of ``vocabulary`` tokens."""
    return np.min_scalar_type(vocabulary - 1)


def _scheme(content: str) -> Scheme:
    tokenizer = Tokenizer.from_str(content)
    cut: dict[str, Any] = json.loads(content)["pre_tokenizer"] or {}
    for scheme in SCHEMES.values():
        if scheme.made(tokenizer, cut):
            return scheme(tokenizer)
    model = type(tokenizer.model).__name__
    raise DataError(f"its model is {model}, cut by {cut.get('type')}: none that genline makes")
