"""Folders written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genline.core.errors import DataError

_SUFFIX = ".tmp"  # .gitignore and .dvcignore name these: a report depends on whole folders


@contextmanager
def replaced_folder(folder: Path | str) -> Iterator[Path]:
    """A new empty folder to fill; it takes the place of ``folder`` when the block ends well.

    It stands beside ``folder`` until then, so on any failure what stood there is untouched. What
    a process that was killed left beside it is removed first. The folder a symbolic link leads to
    is replaced, not the link. Raises DataError where a file stands.
    """
    folder = Path(os.path.realpath(folder)) if Path(folder).is_symlink() else Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file where a folder is wanted; move it away")
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with _beside(folder) as building:
        building.chmod(0o755)
        yield building
        _exchange(building, folder)


def _exchange(building: Path, folder: Path) -> None:
    """Two renames, so that at no time is half of the old folder gone."""
    if not folder.exists():
        building.rename(folder)
        return
    with _beside(folder) as aside:
        old = folder.rename(aside / folder.name)
        try:
            building.rename(folder)
        except BaseException:
            old.rename(folder)
            raise


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder``, locked while the block lasts; if still there, then gone."""
    handle, place = _locked(folder)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


def _locked(folder: Path) -> tuple[int, Path]:
    while True:
        place = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_prefix(folder), suffix=_SUFFIX))
        # Another process may sweep it in the instant before it is locked.
        with suppress(FileNotFoundError):
            handle = os.open(place, os.O_RDONLY)
            _lock(handle)
            if place.exists():
                return handle, place
            os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove what nobody holds: the system drops a lock with the process, however it ended."""
    for place in folder.parent.iterdir():
        if not (place.name.startswith(_prefix(folder)) and place.name.endswith(_SUFFIX)):
            continue
        with suppress(FileNotFoundError, NotADirectoryError):
            handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
            if _lock(handle):
                shutil.rmtree(place, ignore_errors=True)
            os.close(handle)


def _lock(handle: int) -> bool:
    """Whether this process holds it now; on a file system without such locks none ever does."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _prefix(folder: Path) -> str:
    return f".{folder.name}."
