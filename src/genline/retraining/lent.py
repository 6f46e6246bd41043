"""A file of the project that holds something else for a while, and is put back whatever happens.

What it held is noted in ``.genline`` first; a run that was killed is mended by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genline.core.files import write_text

NOTES = Path(".genline/lent")


@contextmanager
def lent(path: Path, text: str, root: Path) -> Iterator[None]:
    """``path``, a text file of the project at ``root``, holds ``text`` while the block lasts."""
    place, noted = root / path, root / NOTES / f"{path.name}.json"
    note = {"path": str(path), "before": place.read_text(encoding="utf-8"), "lent": text}
    write_text(noted, json.dumps(note))
    try:
        write_text(place, text)
        yield
    finally:
        _give_back(noted, root)


def give_back(root: Path) -> list[str]:
    """Put back what is lent, and say which; a file that somebody wrote since is left as it is."""
    notes = sorted((root / NOTES).glob("*.json"))
    return [path for note in notes if (path := _give_back(note, root)) is not None]


def _give_back(noted: Path, root: Path) -> str | None:
    note = json.loads(noted.read_text(encoding="utf-8"))
    place = root / note["path"]
    ours = place.is_file() and place.read_text(encoding="utf-8") == note["lent"]
    if ours:
        write_text(place, note["before"])
    noted.unlink()
    return str(note["path"]) if ours else None
