"""The ``source`` block of a dataset in params.yaml: where its raw items come from."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from genline.core.errors import ParamsError, nearest
from genline.core.params import PARAMS_FILE, Section, lookup, read_section

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
    min_words: int = Field(ge=1, le=100, description="shortest sentence kept, in words, 1 to 100")
    max_words: int = Field(ge=1, le=200, description="longest sentence kept, in words, 1 to 200")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError(
                f"min_words is {self.min_words}, above max_words {self.max_words}; lower it"
            )
        twice = [name for name in self.packages if self.packages.count(name) > 1]
        if twice:
            raise ValueError(f"packages names '{twice[0]}' twice; keep one")
        return self


# Those a dataset of each kind can have. With a second member they become unions by name.
ImageSource = Digits
TextSource = Docstrings

Source = Digits | Docstrings
SOURCES: dict[str, type[Source]] = {"digits": Digits, "docstrings": Docstrings}


def read_source(dataset: str, params: Any) -> Source:
    """The source of ``dataset``. Raises ParamsError for one that does not exist."""
    key = f"datasets.{dataset}.source"
    name = lookup(params, f"{key}.name")
    if name not in SOURCES:
        raise ParamsError(f"{PARAMS_FILE}: {key}.name is {name!r}; {nearest(str(name), SOURCES)}")
    return read_section(SOURCES[name], key, params)
