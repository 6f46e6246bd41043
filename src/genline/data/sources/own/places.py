"""Where own data lies, and what the names of its folders and splits say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from genline.core.errors import DataError
from genline.data.sources.items import Keys
from genline.data.sources.own.config import Level, Split

_SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}


def is_split(word: str) -> bool:
    """Whether ``word`` is a usual name of a split."""
    return word.strip().lower() in _SPLITS


def split_name(word: str, where: str) -> str:
    """train, valid or test, by that name or a usual other. Raises DataError for another word."""
    found = _SPLITS.get(word.strip().lower())
    if found is None:
        raise DataError(f"{where}: split is '{word[:40]}', wanted train, valid or test")
    return found


def from_folders(name: str, levels: list[Level]) -> tuple[str, Keys]:
    """Label and keys of the file at relative ``name``, of which each folder is a level.

    Without levels any folders are allowed. Raises DataError for a file too high or too deep.
    """
    folders = PurePosixPath(name).parts[:-1]
    if levels and len(folders) != len(levels):
        wanted = "/".join(f"<{level}>" for level in levels)
        raise DataError(f"{name}: stands in {len(folders)} folders, wanted {wanted}/<file>")
    found = dict(zip(levels, folders, strict=False))
    split = split_name(found["split"], name) if "split" in found else ""
    return found.get("label", ""), Keys(split, found.get("group", ""))


def split_files(path: str, files: dict[Split, str] | None) -> Iterator[tuple[str, Path, str]]:
    """The split ('' for none), place and short name of each file of a source."""
    root = Path(path)
    if files is None:
        if root.is_dir():
            raise DataError(
                f"{path}: is a folder; give the file, or the files of it, as files: {{train: …}}"
            )
        yield "", root, root.name
        return
    if not root.is_dir():
        raise DataError(f"{path}: files are given, so it should be the folder they lie in")
    for split, name in files.items():
        yield split, root / name, name
