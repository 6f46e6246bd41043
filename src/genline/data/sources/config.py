"""The ``source`` block of a dataset in params.yaml: where its raw items come from."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from genline.core.errors import nearest
from genline.core.params import Section

Package = Literal["stdlib", "numpy", "scipy", "pandas", "sklearn"]


class Digits(Section):
    """The 1,797 real 8×8 images of digits that ship with scikit-learn."""

    kind: ClassVar[str] = "image"
    name: Literal["digits"]


class Docstrings(Section):
    """English sentences from the docstrings of installed packages."""

    kind: ClassVar[str] = "text"
    name: Literal["docstrings"]
    packages: list[Package] = Field(
        min_length=1, description="packages whose sources are read; stdlib is Python's own"
    )
    min_words: int = Field(ge=1, le=100, description="shortest sentence kept, in words")
    max_words: int = Field(ge=1, le=200, description="longest sentence kept, in words")

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError(
                f"min_words is {self.min_words}, above max_words {self.max_words}; lower it"
            )
        if len(set(self.packages)) < len(self.packages):
            raise ValueError(f"packages {self.packages} names one twice; keep each once")
        return self


NAMES = ("digits", "docstrings")


def _tag(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else value.name
    return f"tag:{name}"


def _is_known(value: Any) -> Any:
    if isinstance(value, (Digits, Docstrings)):
        return value
    if not isinstance(value, dict) or "name" not in value:
        raise ValueError(f"no name; give one of {', '.join(NAMES)}")
    if value["name"] not in NAMES:
        raise ValueError(f"name is {value['name']!r}; {nearest(value['name'], NAMES)}")
    return value


Source = Annotated[
    Annotated[Digits, Tag("tag:digits")] | Annotated[Docstrings, Tag("tag:docstrings")],
    Discriminator(_tag),
    BeforeValidator(_is_known),
]


class SourceHolder(Section):
    """A dataset's block seen by the download stage, which reads its source alone."""

    source: Source
