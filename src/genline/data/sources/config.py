"""The ``source`` block of a dataset in params.yaml: where its raw items come from.

Every source has a ``path``: the file or folder that it is read from, or that pins what it reads.
The pipeline watches it, and reads the source again when it changes.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from genline.core.errors import ParamsError, nearest
from genline.core.params import PARAMS_FILE, Section, lookup, read_section
from genline.data.sources.own.config import Array, Idx, ImageFolder, Table, TextFile, TextFolder

Package = Literal["stdlib", "numpy", "scipy", "pandas", "sklearn"]

_PINNED = Field(description="requirements.lock, which pins the packages it ships with")
_MANIFEST = Field(min_length=1, description="its manifest, such as data/catalogue/<name>.yaml")
_MIRROR = Field(
    default=None,
    description="folder or address to look in first; GENLINE_MIRROR, where set, comes before it",
)


class Digits(Section):
    """The 1,797 real 8×8 images of digits that ship with scikit-learn."""

    kind: ClassVar[str] = "image"
    name: Literal["digits"]
    path: Literal["requirements.lock"] = _PINNED


class Docstrings(Section):
    """English sentences from the docstrings of installed packages."""

    kind: ClassVar[str] = "text"
    name: Literal["docstrings"]
    path: Literal["requirements.lock"] = _PINNED
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


class CataloguedImages(Section):
    """A data set of images of the catalogue."""

    kind: ClassVar[str] = "image"
    name: Literal["mnist", "fashion-mnist", "kmnist", "cifar10"]
    path: str = _MANIFEST
    mirror: str | None = _MIRROR


class CataloguedTexts(Section):
    """A data set of texts of the catalogue."""

    kind: ClassVar[str] = "text"
    name: Literal["imdb", "coco-captions", "ptb"]
    path: str = _MANIFEST
    mirror: str | None = _MIRROR


Catalogued = CataloguedImages | CataloguedTexts

# Those a dataset of each kind can have.
ImageSource = Annotated[
    Digits | CataloguedImages | ImageFolder | Array | Idx, Field(discriminator="name")
]
TextSource = Annotated[
    Docstrings | CataloguedTexts | TextFile | TextFolder | Table, Field(discriminator="name")
]
Source = (
    Digits
    | Docstrings
    | CataloguedImages
    | CataloguedTexts
    | ImageFolder
    | Array
    | Idx
    | TextFile
    | TextFolder
    | Table
)

# Each source's section, and the module below this package that reads it.
SOURCES: dict[str, tuple[type[Source], str]] = {
    "digits": (Digits, "digits"),
    "docstrings": (Docstrings, "docstrings"),
    "mnist": (CataloguedImages, "catalogue.source"),
    "fashion-mnist": (CataloguedImages, "catalogue.source"),
    "kmnist": (CataloguedImages, "catalogue.source"),
    "cifar10": (CataloguedImages, "catalogue.source"),
    "imdb": (CataloguedTexts, "catalogue.source"),
    "coco-captions": (CataloguedTexts, "catalogue.source"),
    "ptb": (CataloguedTexts, "catalogue.source"),
    "image_folder": (ImageFolder, "own.image_folder"),
    "array": (Array, "own.arrays"),
    "idx": (Idx, "own.idx_files"),
    "text_file": (TextFile, "own.texts"),
    "text_folder": (TextFolder, "own.texts"),
    "table": (Table, "own.table"),
}


def read_source(dataset: str, params: Any) -> Source:
    """The source of ``dataset``. Raises ParamsError for one that does not exist."""
    key = f"datasets.{dataset}.source"
    name = lookup(params, f"{key}.name")
    if name not in SOURCES:
        raise ParamsError(f"{PARAMS_FILE}: {key}.name is {name!r}; {nearest(str(name), SOURCES)}")
    section: type[Source] = SOURCES[name][0]
    return read_section(section, key, params)
