"""The ``source`` block of a dataset that is the user's own files.

``path`` is what the pipeline watches: a file or folder, and every change below it reads it anew.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section
from genline.data.sources.files.lines import Encoding
from genline.data.sources.files.pictures import Fit

Level = Literal["label", "split", "group"]
Split = Literal["train", "valid", "test"]

_PATH = Field(min_length=1, description="the file or folder, from the project's top folder")
_BAD = Field(description="an item that cannot be read: stop there, or skip and count it")
_FOLDERS = Field(
    max_length=3,
    description="what subfolders mean, outer first: label, split, group; [] if nothing",
)
_LONGEST = Field(ge=1, le=100_000_000, description="characters of the longest text taken")
_ENCODING = Field(description="of the texts: utf-8, utf-16, latin-1, gb18030, …")


class _Folders(Section):
    folders: list[Level] = _FOLDERS

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.folders)) < len(self.folders):
            raise ValueError(f"folders is {self.folders}; name each level once")
        return self


class ImageFolder(_Folders):
    """A folder, tar or zip of pictures: PNG, JPEG, WebP, BMP, GIF."""

    kind: ClassVar[str] = "image"
    name: Literal["image_folder"]
    path: str = _PATH
    channels: Literal[1, 3] = Field(description="of every image: 1 (grey) or 3 (colour)")
    height: int = Field(ge=1, le=1024, description="of every image, 1 to 1024 pixels")
    width: int = Field(ge=1, le=1024, description="of every image, 1 to 1024 pixels")
    fit: Fit = Field(description="what becomes of another size: exact, resize, crop or pad")
    background: int = Field(
        ge=0, le=255, description="grey level behind what is transparent or padded, 0 to 255"
    )
    on_bad_item: Literal["stop", "skip"] = _BAD


class Part(Section):
    """Images and their labels, by the names of their files or of the arrays of an .npz."""

    images: str = Field(min_length=1, description="file or array of images")
    labels: str | None = Field(default=None, description="file or array of labels")
    split: Split | None = Field(default=None, description="the split all of it belongs to")


class _Parts(Section):
    path: str = _PATH
    parts: list[Part] = Field(min_length=1, description="its images and their labels")

    @model_validator(mode="after")
    def _alike(self) -> Self:
        for name in ("labels", "split"):
            if len({getattr(part, name) is None for part in self.parts}) > 1:
                raise ValueError(f"some parts have {name} and others none; give all or none")
        return self


class Array(_Parts):
    """NumPy arrays: an .npz, an .npy, or a folder with .npy files."""

    kind: ClassVar[str] = "image"
    name: Literal["array"]
    axes: Literal["nhw", "nhwc", "nchw"] = Field(
        description="order of items n, channels c, height h and width w"
    )
    values: Literal["levels", "unit"] = Field(
        description="levels: grey levels 0 to 255; unit: 0 to 1"
    )


class Idx(_Parts):
    """A folder of IDX files, the form of MNIST."""

    kind: ClassVar[str] = "image"
    name: Literal["idx"]


class _Files(Section):
    path: str = _PATH
    files: dict[Split, str] | None = Field(
        default=None, description="where path is a folder: its file for each split"
    )
    encoding: Encoding = _ENCODING
    longest: int = _LONGEST
    on_bad_item: Literal["stop", "skip"] = _BAD

    @model_validator(mode="after")
    def _some_file(self) -> Self:
        if self.files is not None and "train" not in self.files:
            raise ValueError("files names no train file; give one")
        return self


class TextFile(_Files):
    """A file of texts, one a line or one a paragraph."""

    kind: ClassVar[str] = "text"
    name: Literal["text_file"]
    item: Literal["line", "paragraph"] = Field(
        description="a text: line, or paragraph (lines up to a blank one)"
    )


class TextFolder(_Folders):
    """A folder, tar or zip of .txt files, one text each."""

    kind: ClassVar[str] = "text"
    name: Literal["text_folder"]
    path: str = _PATH
    encoding: Encoding = _ENCODING
    longest: int = _LONGEST
    on_bad_item: Literal["stop", "skip"] = _BAD


class Table(_Files):
    """A table with a column of texts."""

    kind: ClassVar[str] = "text"
    name: Literal["table"]
    format: Literal["csv", "tsv", "jsonl", "parquet"] = Field(description="form of the file")
    text: str = Field(min_length=1, description="column of the texts")
    label: str | None = Field(default=None, description="column of the labels")
    split: str | None = Field(default=None, description="column that says train, valid or test")
    group: str | None = Field(default=None, description="column of what must stay together")
    time: str | None = Field(default=None, description="column of dates or numbers")

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are read, by what they mean."""
        named = {k: getattr(self, k) for k in ("text", "label", "split", "group", "time")}
        return {meaning: column for meaning, column in named.items() if column is not None}
