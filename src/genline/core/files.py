"""Files written whole or not at all, and their digests."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from genline.core.errors import DataError, GenlineError


def write_atomic(path: Path | str, write: Callable[[BinaryIO], Any]) -> None:
    """Call ``write`` on a temporary file beside ``path``, flush it to disk, then rename it there.

    A reader sees the old file or the new one, never half of it. On any failure the temporary
    file is removed and ``path`` is as it was; an OSError names ``path``. The file a symbolic link
    leads to is replaced, not the link; DataError where it is write-protected, as those of DVC's
    cache are. A device or a named pipe is written into, since a rename would put a file in its
    place.
    """
    path = Path(path)
    with _named(path):
        target = _target(path)
        if _is_stream(target):
            with target.open("wb") as stream:
                write(stream)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_beside(target, write)


def _write_beside(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An OSError inside names ``path``: that of a write names nothing, or the temporary file."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


class OutputFile(io.BufferedWriter):
    """A new file, written a piece at a time; an OSError of it names it.

    For what stands in a folder that is put in place whole; else :func:`write_atomic`.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(io.FileIO(path, "w"), 2**18)
        self._path = Path(path)

    def write(self, content: Any) -> int:
        with _named(self._path):
            return super().write(content)

    def flush(self) -> None:
        with _named(self._path):
            super().flush()

    def close(self) -> None:
        with _named(self._path):
            super().close()


def _target(path: Path) -> Path:
    """The file that ``path`` or the symbolic link there stands for."""
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise DataError(f"{path}: a link that leads back to itself; remove it")
    if target.is_file() and not target.stat().st_mode & 0o222:
        raise DataError(
            f"{path}: a link to {target}, which is write-protected; remove the link first"
        )
    return target


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def require_regular(path: Path | str, error: type[GenlineError] = DataError) -> None:
    """Raises ``error`` for what is there and is no regular file, nor a link to one.

    Reading a named pipe waits for ever, and a device may have no end. A path at which nothing
    stands raises FileNotFoundError.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise error(f"{path}: a link to {path.readlink()}, which is not there") from None
        raise
    except NotADirectoryError:
        above = next(p for p in path.parents if p.exists())
        raise error(f"{path}: cannot be there, since {above} is a file and no folder") from None
    except OSError as found:
        if found.errno == errno.ELOOP:
            raise error(f"{path}: a link that leads back to itself; remove it") from None
        raise
    if not stat.S_ISREG(mode):
        raise error(f"{path}: is {_kind(mode)}; a regular file is wanted")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def write_bytes(path: Path | str, content: bytes) -> None:
    write_atomic(path, lambda file: file.write(content))


def write_text(path: Path | str, content: str) -> None:
    write_bytes(path, content.encode("utf-8"))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and a final newline; NaN and infinities are refused (ValueError)."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def write_json(path: Path | str, value: Any) -> None:
    write_text(path, canonical_json(value))


def read_json(path: Path | str) -> Any:
    """The JSON value in ``path``.

    Raises DataError when it is missing, no regular file, not UTF-8 or not JSON.
    """
    try:
        require_regular(path)
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run the stage that writes it") from None
    # ValueError: not UTF-8, not JSON, or a number of thousands of digits.
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DataError(f"{path}: not valid JSON ({reason}); delete it and run again") from None


def digest_bytes(content: bytes) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path | str) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_tree(paths: Iterable[Path | str], root: Path | str = ".") -> str:
    """sha256 over the names (relative to ``root``) and bytes of all files at or below ``paths``.

    Byte-code caches do not count.
    """
    files: set[Path] = set()
    for path in map(Path, paths):
        files |= {p for p in path.rglob("*") if p.is_file()} if path.is_dir() else {path}
    total = hashlib.sha256()
    for file in sorted(f for f in files if "__pycache__" not in f.parts):
        name = os.path.relpath(file, root)
        total.update(f"{name}\0{digest_file(file)}\n".encode())
    return total.hexdigest()


def digest_value(value: Any) -> str:
    """sha256 of a JSON-able value in its canonical form."""
    return digest_bytes(canonical_json(value).encode())
