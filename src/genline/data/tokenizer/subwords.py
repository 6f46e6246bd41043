"""Parts of words over the bytes of UTF-8: any text encodes, and decoding gives it back whole.

A text is first cut by GPT-2's pattern (Radford et al., 2019) into words with the space before
them, numbers, runs of marks and of white space; tokens never cross these. Within them, byte pairs
are merged in the order they were learned (Sennrich et al., 2016), or the likeliest pieces under a
unigram model are taken (Kudo, 2018). Since all 256 bytes are tokens, nothing is ever unknown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from tokenizers import Tokenizer, decoders, models, trainers
from tokenizers.pre_tokenizers import ByteLevel

from genline.data.prepared import SPECIAL_TOKENS, UNK
from genline.data.tokenizer.scheme import Ids, Scheme
from genline.data.tokenizer.thinning import thinned

if TYPE_CHECKING:
    from tiktoken import Encoding

# Possessive, so that no run of one kind, however long, is tried twice.
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
# What training texts weigh at most, by :func:`thinned`; a unigram model takes ten times the work.
_MOST_BPE, _MOST_UNIGRAM = 50_000_000, 10_000_000
_LONGEST_PIECE = 16  # bytes of a token of the unigram model
_UNSEEN = 10.0  # nats that a byte no text holds is below the least likely piece


class _Bytes(Scheme):
    """Tokens are runs of bytes; in the file each byte stands as GPT-2's character for it."""

    subword = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        vocabulary = tokenizer.get_vocab()
        names = sorted(vocabulary, key=vocabulary.__getitem__)
        alphabet = _byte_of_character()
        special = len(SPECIAL_TOKENS)
        self._bytes = [name.encode() for name in names[:special]]
        self._bytes += [bytes(alphabet[c] for c in name) for name in names[special:]]

    def decode(self, tokens: Sequence[int]) -> str:
        """Bytes that are no UTF-8, which a model may draw but no text has, become U+FFFD."""
        return b"".join(self._bytes[token] for token in tokens).decode("utf-8", "replace")


class Bpe(_Bytes):
    """Byte pairs merged by frequency.

    ``tiktoken`` encodes, with the vocabulary that ``tokenizers`` trains and keeps: the same ids,
    in less time.
    """

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Self:
        tokenizer = _byte_tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(thinned(texts, _MOST_BPE), trainer)
        return cls(_unmarked(tokenizer))

    @classmethod
    def made(cls, tokenizer: Tokenizer, cut: Mapping[str, Any]) -> bool:
        return isinstance(tokenizer.model, models.BPE) and cut.get("type") == "ByteLevel"

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        encode = self._encoding.encode_to_numpy
        return [encode(text, disallowed_special=()) for text in texts]

    @cached_property
    def _encoding(self) -> Encoding:
        from tiktoken import Encoding

        first = len(SPECIAL_TOKENS)
        ranks = {token: rank for rank, token in enumerate(self._bytes) if rank >= first}
        return Encoding("genline", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


class Unigram(_Bytes):
    """The likeliest cut under a unigram model of pieces.

    ``sentencepiece`` fits the model, on each different word with how often it occurs: what the
    trainer of ``tokenizers`` finds depends on the order of a hash table, another in each process.
    """

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Self:
        words = _counted_words(thinned(texts, _MOST_UNIGRAM))
        seen = set().union(*words)
        unseen = [character for character in sorted(_byte_of_character()) if character not in seen]
        pieces = _fit_unigram(words, size - len(unseen)) if words else []
        # Less likely than all that was seen, so that they are taken for want of others alone.
        last = min((score for _, score in pieces), default=0.0) - _UNSEEN
        marks = [(token, 0.0) for token in SPECIAL_TOKENS]
        vocabulary = [*marks, *pieces, *((character, last) for character in unseen)]
        return cls(_byte_tokenizer(models.Unigram(vocabulary, unk_id=UNK, byte_fallback=False)))

    @classmethod
    def made(cls, tokenizer: Tokenizer, cut: Mapping[str, Any]) -> bool:
        return isinstance(tokenizer.model, models.Unigram) and cut.get("type") == "ByteLevel"

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        encodings = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, np.uint32) for encoding in encodings]


def _byte_tokenizer(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _counted_words(texts: Iterable[str]) -> dict[str, int]:
    """The different words of ``texts`` by GPT-2's pattern, in its characters, in their order."""
    import regex

    find = regex.compile(PATTERN).findall
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(find(text))
    characters = {byte: character for character, byte in _byte_of_character().items()}
    written = {"".join(characters[byte] for byte in w.encode()): n for w, n in counts.items()}
    return dict(sorted(written.items()))


def _fit_unigram(words: Mapping[str, int], size: int) -> list[tuple[str, float]]:
    """At most ``size`` less the special tokens of pieces, with the logarithms of their chances."""
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    with TemporaryDirectory() as folder:
        table, model = Path(folder) / "words.tsv", Path(folder) / "model"
        lines = (f"{word}\t{count}\n" for word, count in words.items())
        table.write_text("".join(lines), encoding="utf-8")
        SentencePieceTrainer.train(
            input=str(table),
            input_format="tsv",
            model_prefix=str(model),
            model_type="unigram",
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            max_sentencepiece_length=_LONGEST_PIECE,
            max_sentence_length=2**30,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_unicode_script=False,
            split_by_number=False,
            pad_id=0,
            bos_id=1,
            eos_id=2,
            unk_id=UNK,
            num_threads=1,  # the sums depend on it
            minloglevel=2,
        )
        fitted = SentencePieceProcessor(model_file=f"{model}.model")
    first, end = len(SPECIAL_TOKENS), fitted.get_piece_size()
    # Of six digits, which a file gives back as they were.
    return [(fitted.id_to_piece(i), round(fitted.get_score(i), 6)) for i in range(first, end)]


def _unmarked(tokenizer: Tokenizer) -> Tokenizer:
    """Without the trainer's marks, which would be found in a text that spells "<eos>" out."""
    content = json.loads(tokenizer.to_str())
    return Tokenizer.from_str(json.dumps({**content, "added_tokens": []}))


def _byte_of_character() -> dict[str, int]:
    """GPT-2's character for each byte: itself where it can be seen, else the next from U+0100."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in seen]
    found = {chr(byte): byte for byte in seen}
    return found | {chr(256 + place): byte for place, byte in enumerate(hidden)}
