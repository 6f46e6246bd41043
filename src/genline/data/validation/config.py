"""The ``validate`` block of a dataset in params.yaml."""

from __future__ import annotations

from pydantic import Field

from genline.core.params import Section

SIMILAR_IMAGES, SIMILAR_TEXTS = 0.99, 0.8


class Validate(Section):
    """What a dataset must satisfy before it is prepared."""

    suite: str = Field(
        min_length=1, description="YAML file of expectations, relative to the project's top folder"
    )
    similar: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="from which similarity on two items are near copies, in (0, 1]: of texts the "
        "word-3-gram Jaccard (0.8 where it is not given), of images the correlation (0.99)",
    )


def nearness(kind: str, similar: float | None = None) -> float:
    """``similar``, or what is usual for images or texts."""
    if similar is not None:
        return similar
    return SIMILAR_IMAGES if kind == "image" else SIMILAR_TEXTS
