"""Files written whole or not at all, and their digests."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from genline.core.errors import DataError


def write_atomic(path: Path | str, write: Callable[[BinaryIO], Any]) -> None:
    """Call ``write`` on a temporary file beside ``path``, flush it to disk, then rename it there.

    A reader sees the old file or the new one, never half of it. On any failure the temporary
    file is removed and ``path`` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
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
    """The JSON value in ``path``. Raises DataError when it is missing, not UTF-8 or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run the stage that writes it") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); delete it and run again") from None


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
