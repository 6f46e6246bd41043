"""The regular files in a folder, a tar or a zip, without unpacking anything to disk.

Members with a path that leads out, links, and devices are refused: nothing here would follow
them, but an archive that holds them is not what it says.
"""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

from genline.core.errors import DataError
from genline.core.files import require_regular
from genline.data.sources.files.compressed import (
    FREE_BYTES,
    LARGEST_RATIO,
    open_data,
    plain_name,
)

# What the libraries raise when an archive is cut short, damaged, or packed in a way they do not
# know. Nothing is written while they read.
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    IndexError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
_DEEPEST = 100  # folders in one another
# Of a single file read whole: a picture or a text.
LARGEST_MEMBER = 2**30


@dataclass(frozen=True)
class Member:
    """A file by its relative name, and how to read it.

    Good until the next is asked for; with a ``path``, a file of its own, at any time by
    :func:`read_file`.
    """

    name: str
    read: Callable[[], bytes]
    path: Path | None = None


def is_archive(path: Path) -> bool:
    """Whether the name of ``path`` is that of a tar or a zip."""
    return plain_name(path).lower().endswith((".tar", ".tgz", ".zip"))


def members(path: Path, wanted: Callable[[str], bool] | None = None) -> Iterator[Member]:
    """The files below a folder in the order of their names, or in an archive in its order.

    Hidden files, such as ``.DS_Store``, do not count. ``wanted`` chooses by relative name. Raises
    DataError when ``path`` is missing or no archive, and for a member that is refused.
    """
    choose = wanted or (lambda name: True)
    if path.is_dir():
        found = _in_folder(path)
    elif path.exists() and is_archive(path):
        require_regular(path)
        found = _in_zip(path) if plain_name(path).lower().endswith(".zip") else _in_tar(path)
    elif path.exists():
        raise DataError(f"{path}: wanted a folder, or a .tar (also compressed) or .zip file")
    else:
        raise DataError(f"{path}: no such file or folder")
    for member in found:
        if not _is_text(member.name):
            raise DataError(f"{path}: the name {member.name!a} is not UTF-8; rename the file")
        hidden = any(part.startswith(".") for part in PurePosixPath(member.name).parts)
        if not hidden and choose(member.name):
            yield member


def count_members(path: Path, wanted: Callable[[str], bool]) -> int:
    """About how many :func:`members` will find; 0 where finding out means unpacking them all."""
    if not path.is_dir():
        return 0
    return sum(
        wanted(name) and not name.startswith(".") for _, _, names in os.walk(path) for name in names
    )


def _is_text(name: str) -> bool:
    # Names of other encodings come with lone surrogates, which nothing can write down.
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _in_folder(folder: Path, above: str = "") -> Iterator[Member]:
    """Depth first, each folder in the order of its names: no more than one is held at a time."""
    if above.count("/") > _DEEPEST:
        raise DataError(f"{folder}: more than {_DEEPEST} folders deep")
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        raise DataError(f"{folder}: vanished while it was read") from None
    for entry in entries:
        path, name = Path(entry.path), above + entry.name
        if entry.is_dir():
            if entry.is_symlink():  # it would not be looked into
                raise DataError(f"{path}: is a link to a folder; put the folder itself there")
            yield from _in_folder(path, f"{name}/")
        elif not entry.is_file():
            raise DataError(f"{path}: is a link to nothing, or no regular file; take it out")
        else:
            yield Member(name, partial(read_file, path), path)


def read_file(path: Path) -> bytes:
    """The content of one item's file. Raises DataError for one too large, or gone."""
    try:
        if path.stat().st_size > LARGEST_MEMBER:
            raise DataError(f"{path}: larger than {LARGEST_MEMBER} bytes, wanted one item a file")
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: vanished while the folder was read") from None


def _in_tar(path: Path) -> Iterator[Member]:
    with open_data(path) as stream:
        try:
            # As a stream: it is read once, and never goes back.
            archive = tarfile.open(fileobj=cast(Any, stream), mode="r|")  # noqa: SIM115
            for info in archive:
                name = _safe(path, info.name)
                if info.isdir():
                    continue
                if not info.isreg():
                    raise DataError(
                        f"{path}: '{name}' is a link or a device; wanted files and folders only"
                    )
                if info.size > LARGEST_MEMBER:
                    raise DataError(f"{path}: '{name}' is larger than {LARGEST_MEMBER} bytes")
                content = cast(io.BufferedReader, archive.extractfile(info))
                yield Member(name, partial(_guarded, path, content.read))
        except _BROKEN as error:
            raise _broken(path, error) from None


def _in_zip(path: Path) -> Iterator[Member]:
    try:
        with zipfile.ZipFile(path) as archive:
            packed = path.stat().st_size
            total = sum(info.file_size for info in archive.infolist())
            if total > max(FREE_BYTES, LARGEST_RATIO * packed):
                raise DataError(
                    f"{path}: unpacks to {total / packed:.0f} times its size, over "
                    f"{LARGEST_RATIO}, as a decompression bomb does"
                )
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                name = _safe(path, info.filename)
                mode = info.external_attr >> 16
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise DataError(
                        f"{path}: '{name}' is a link or a device; wanted files and folders only"
                    )
                if info.flag_bits & 1:
                    raise DataError(f"{path}: '{name}' is encrypted; wanted it without a password")
                if not info.is_dir():
                    # zipfile itself never reads past file_size, and checks the CRC.
                    yield Member(name, partial(_guarded, path, partial(archive.read, info)))
    except _BROKEN as error:
        raise _broken(path, error) from None


def _guarded(path: Path, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except _BROKEN as error:
        raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:100] or type(error).__name__
    return DataError(f"{path}: not a whole archive ({reason}); get it again")


def _safe(path: Path, name: str) -> str:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or (parts.parts and ":" in parts.parts[0]):
        raise DataError(f"{path}: '{name}' leads out of the archive; nothing of it is read")
    return parts.as_posix()
