"""The parameters of the judges."""

from __future__ import annotations

from pydantic import Field

from genline.core.params import Section


class ImageEvaluator(Section):
    """The classifier whose feature head is the space of FID and its kin."""

    width: int = Field(ge=8, le=512, multiple_of=8, description="channels of the first block")
    features: int = Field(ge=8, le=4096, description="dimensions of the feature head")
    steps: int = Field(ge=1, le=10_000_000, description="training steps, 1 or more")
    batch: int = Field(ge=1, le=65_536, description="images a step")
    learning_rate: float = Field(gt=0, le=1, description="AdamW's highest, in (0, 1]")
    weight_decay: float = Field(ge=0, le=10, description="AdamW's, in [0, 10]")
    dropout: float = Field(ge=0, lt=1, description="share of features dropped while training")


class TextEvaluator(Section):
    """The language model that gives perplexities, and whose pooled states embed a text."""

    embedding: int = Field(ge=8, le=8192, description="dimensions of a token's embedding")
    hidden: int = Field(ge=8, le=8192, description="dimensions of the recurrent state")
    steps: int = Field(ge=1, le=10_000_000, description="training steps, 1 or more")
    batch: int = Field(ge=1, le=65_536, description="texts a step")
    learning_rate: float = Field(gt=0, le=1, description="AdamW's highest, in (0, 1]")
    dropout: float = Field(ge=0, lt=1, description="share of embeddings and states dropped")
