"""A file of the project that holds something else for a while, and is put back whatever happens.

What it held is noted in ``.genline`` first; a run that was killed is mended by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genline.core.files import write_bytes, write_text

NOTES = Path(".genline/lent")


@contextmanager
def lent(path: Path, content: bytes, root: Path) -> Iterator[None]:
    """``path``, a name in the project at ``root``, holds ``content`` while the block lasts."""
    before = _read(root / path)
    note = {"path": str(path), "before": _text(before), "lent": content.decode()}
    write_text(root / NOTES / f"{path.name}.json", json.dumps(note))
    try:
        write_bytes(root / path, content)
        yield
    finally:
        _give_back(root / NOTES / f"{path.name}.json", root)


def give_back(root: Path) -> list[str]:
    """Put back what is lent, and say which; a file that somebody wrote since is left as it is."""
    notes = sorted((root / NOTES).glob("*.json"))
    return [path for note in notes if (path := _give_back(note, root)) is not None]


def _give_back(note: Path, root: Path) -> str | None:
    said = json.loads(note.read_text(encoding="utf-8"))
    place = root / said["path"]
    ours = _text(_read(place)) == said["lent"]
    if ours and said["before"] is None:
        place.unlink()
    elif ours:
        write_bytes(place, said["before"].encode())
    note.unlink()
    return str(said["path"]) if ours else None


def _read(place: Path) -> bytes | None:
    return place.read_bytes() if place.is_file() else None


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode()
