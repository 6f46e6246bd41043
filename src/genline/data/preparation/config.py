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
        ge=8, le=65536, description="words and marks kept, the 4 special tokens included"
    )
    max_tokens: int = Field(ge=1, le=1024, description="longer texts are dropped, in tokens")
    unknown: Literal["keep", "drop"] = Field(
        description="a text with a word outside the vocabulary: keep it with <unk>, or drop it"
    )
