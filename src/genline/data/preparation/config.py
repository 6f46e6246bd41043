"""The ``prepare`` block of a dataset in params.yaml, for images and for texts."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section


class Prepare(Section):
    """How items are split.

    shuffle: exact shares, equal in each label; more data moves items. hash: shares by the hash of
    each item (of its group, where it has one), so that none ever moves. given: as the source
    says, and shares of train for a split it does not name. time: from two moments on.
    """

    valid: float = Field(gt=0, lt=0.5, description="share of items for validation, in (0, 0.5)")
    test: float = Field(gt=0, lt=0.5, description="share of items for testing, in (0, 0.5)")
    split: Literal["shuffle", "hash", "given", "time"] = Field(
        default="shuffle", description="how items are split: shuffle, hash, given or time"
    )
    valid_from: str | float | None = Field(
        default=None, description="first time of validation, as the source writes times"
    )
    test_from: str | float | None = Field(
        default=None, description="first time of testing, as the source writes times"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        moments = (self.valid_from, self.test_from)
        if self.split != "time":
            if moments != (None, None):
                raise ValueError(f"valid_from and test_from are of split: time, not {self.split}")
            return self
        if None in moments:
            raise ValueError("split is time; give valid_from and test_from")
        words = [isinstance(moment, str) for moment in moments]
        if words[0] != words[1] or not self.valid_from < self.test_from:  # type: ignore[operator]
            raise ValueError(
                f"valid_from is {self.valid_from!r} and test_from {self.test_from!r}; give two "
                "texts or two numbers, the first the earlier"
            )
        return self


class PrepareImages(Prepare):
    """Images need little more: their source has brought them to one shape."""

    clusters: int = Field(
        default=10,
        ge=2,
        le=1000,
        description="without labels, groups of like images that stand for classes, 2 to 1000",
    )


SMALLEST_OF_BYTES = 260  # the 256 bytes and the 4 special tokens


class PrepareTexts(Prepare):
    """Texts are cleaned, split, and turned into token ids."""

    near_duplicates: float = Field(
        gt=0,
        le=1,
        description="a text is dropped when its word-3-gram Jaccard similarity with a kept one "
        "reaches this, in (0, 1]; 1 drops those with the same 3-grams only",
    )
    near_duplicates_by: Literal["auto", "exact", "minhash"] = Field(
        default="auto",
        description="exact: compare all that could be near; minhash: those that share a band, at "
        "any size; auto: exact up to 4 million words",
    )
    vocabulary: int = Field(
        ge=8, le=65536, description="tokens kept, the 4 special tokens included, 8 to 65536"
    )
    max_tokens: int = Field(ge=1, le=1024, description="tokens of the longest text, 1 to 1024")
    unknown: Literal["keep", "drop"] = Field(
        description="a text with a word outside the vocabulary: keep it with <unk>, or drop it"
    )
    tokenizer: Literal["word", "whitespace", "character", "bpe", "unigram"] = Field(
        default="word",
        description="what a token is: a word, what stands between spaces, a character, or a "
        "piece by byte pairs (bpe) or a unigram model",
    )
    too_long: Literal["drop", "cut"] = Field(
        default="drop", description="texts of more than max_tokens: drop them, or cut them there"
    )
    html: Literal["keep", "strip"] = Field(
        default="keep", description="tags and entities of HTML: keep, or strip"
    )
    unicode: Literal["NFC", "NFKC", "NFD", "NFKD", "none"] = Field(
        default="NFC",
        description="Unicode normalisation; NFKC and NFKD also make wide and styled letters plain",
    )
    control: Literal["space", "remove", "keep"] = Field(
        default="space", description="control characters: a space for each, remove or keep"
    )
    invisible: Literal["keep", "remove"] = Field(
        default="keep",
        description="zero-width spaces, soft hyphens, marks of direction: keep or remove",
    )
    white_space: Literal["single", "lines", "keep"] = Field(
        default="single",
        description="single spaces alone, single spaces and line breaks (lines), or keep it all",
    )
    lower_case: bool = Field(default=False, description="whether capitals are lowered")
    sentences: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}$",
        description="the language by whose rules texts are split into sentences, such as en or zh",
    )
    min_words: int | None = Field(default=None, ge=1, description="words of the shortest text")
    max_words: int | None = Field(default=None, ge=1, description="words of the longest text")
    min_characters: int | None = Field(
        default=None, ge=1, description="characters of the shortest text"
    )
    max_characters: int | None = Field(
        default=None, ge=1, description="characters of the longest text"
    )
    min_tokens: int = Field(default=1, ge=1, description="tokens of the shortest text, 1 or more")

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Self:
        for what in ("words", "characters", "tokens"):
            least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{what} is {least}, above max_{what} {most}; lower it")
        if self.tokenizer in ("bpe", "unigram") and self.vocabulary < SMALLEST_OF_BYTES:
            raise ValueError(
                f"vocabulary is {self.vocabulary}; {self.tokenizer} has a token for each of the "
                f"256 bytes and 4 special ones, so give {SMALLEST_OF_BYTES} or more"
            )
        return self
