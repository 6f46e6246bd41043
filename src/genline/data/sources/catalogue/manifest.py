"""What is known of a data set: a YAML file with addresses, checksums, licence and form."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from genline.core.params import Section, load_yaml, parse_section

FOLDER = Path("data/catalogue")


class Checked(Section):
    """A file by its name and what it must be."""

    name: str = Field(pattern=r"^[\w.-]+$", description="the file's name")
    size: int = Field(ge=1, description="bytes")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="checksum, 64 hexadecimal digits"
    )
    md5: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{32}$", description="where no sha256 is published"
    )

    @model_validator(mode="after")
    def _has_a_checksum(self) -> Self:
        if (self.sha256 is None) == (self.md5 is None):
            raise ValueError(f"{self.name} needs one checksum, sha256 or md5")
        return self


class File(Checked):
    """A file to fetch."""

    path: str | None = Field(default=None, description="below an address, if not just its name")
    split: Literal["train", "valid", "test"] | None = Field(
        default=None, description="the split its items belong to"
    )
    holds: Literal["images", "labels"] | None = Field(default=None, description="of IDX files")
    instead: list[Checked] = Field(
        default_factory=list, description="files a mirror may have instead of it"
    )


class Manifest(Section):
    """One data set of the catalogue."""

    title: str = Field(description="its name in words")
    kind: Literal["image", "text"] = Field(description="what its items are")
    format: Literal["idx", "cifar", "lines", "reviews"] = Field(description="how files are read")
    items: int = Field(ge=1, description="how many there are, all splits together")
    shape: list[int] = Field(
        default_factory=list, description="of an image: channels, height, width"
    )
    classes: list[str] = Field(default_factory=list, description="their names, in order")
    licence: str = Field(description="what it may be used under")
    citation: str = Field(description="what to cite")
    mirror_folders: list[str] = Field(
        default_factory=list, description="its folders in a mirror; by default its own name"
    )
    addresses: list[str] = Field(
        min_length=1, description="where the files lie, each ending in a slash; tried in turn"
    )
    files: list[File] = Field(min_length=1, description="the files, in the order they are read")

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)


def read_manifest(path: Path | str) -> Manifest:
    """Raises ParamsError naming the file and what is wrong with it."""
    return parse_section(Manifest, load_yaml(path), "", path)
