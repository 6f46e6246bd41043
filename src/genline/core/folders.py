"""Folders written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genline.core.errors import DataError


@contextmanager
def replaced_folder(folder: Path | str) -> Iterator[Path]:
    """A new empty folder to fill; it takes the place of ``folder`` when the block ends well.

    It stands beside ``folder`` until then, so on any failure what stood there is untouched. The
    folder a symbolic link leads to is replaced, not the link. Raises DataError where a file
    stands.
    """
    folder = Path(os.path.realpath(folder)) if Path(folder).is_symlink() else Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file where a folder is wanted; move it away")
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = _beside(folder)
    try:
        building.chmod(0o755)
        yield building
        _exchange(building, folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _exchange(building: Path, folder: Path) -> None:
    """Two renames, so that at no time is half of the old folder gone."""
    if not folder.exists():
        building.rename(folder)
        return
    aside = _beside(folder)
    old = folder.rename(aside / folder.name)
    try:
        building.rename(folder)
    except BaseException:
        old.rename(folder)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _beside(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
