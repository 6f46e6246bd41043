"""The ``prepare`` block of a dataset in params.yaml, for images and for texts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genline.core.params import Section


class _Prepare(Section):
    valid: float = Field(gt=0, lt=0.5, description="share of items for validation, in (0, 0.5)")
    test: float = Field(gt=0, lt=0.5, description="share of items for testing, in (0, 0.5)")


class PrepareImages(_Prepare):
    """Images are split with equal shares of each label."""


class PrepareTexts(_Prepare):
    """Texts are cleaned, split, and turned into token ids."""

    near_duplicates: float = Field(
        gt=0,
        le=1,
        description="a text is dropped when its word-3-gram Jaccard similarity with a kept one "
        "reaches this, in (0, 1]; 1 drops those with the same 3-grams only",
    )
    vocabulary: int = Field(
        ge=8, le=65536, description="words and marks kept, the 4 special tokens included"
    )
    max_tokens: int = Field(ge=1, le=1024, description="longer texts are dropped, in tokens")
    unknown: Literal["keep", "drop"] = Field(
        description="a text with a word outside the vocabulary: keep it with <unk>, or drop it"
    )
