"""Texts in a file, by the line or by the paragraph, and in a folder, one a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from genline.core.errors import DataError
from genline.data.sources.files.archives import members
from genline.data.sources.files.compressed import open_data, plain_name
from genline.data.sources.files.lines import lines, paragraphs
from genline.data.sources.items import Keys
from genline.data.sources.own.config import TextFile, TextFolder
from genline.data.sources.own.places import from_folders, split_files
from genline.data.sources.packed import BadItems, TextRow, items, write_texts

__all__ = ["fetch", "items"]


def fetch(section: TextFile | TextFolder, folder: Path) -> dict[str, Any]:
    """Bring the texts into one table; return the record.

    Blank lines and blank files are no texts. Raises DataError naming the file and line that
    cannot be read, unless such are skipped; and when there are none at all.
    """
    bad = BadItems(section.on_bad_item == "skip")
    rows = _of_files(section, bad) if isinstance(section, TextFile) else _of_folder(section, bad)
    record = write_texts(folder, rows, bad)
    by = section.item if isinstance(section, TextFile) else "file"
    return {**record, "description": f"texts, one a {by}"}


def _of_files(section: TextFile, bad: BadItems) -> Iterator[TextRow]:
    for split, path, name in split_files(section.path, section.files):
        with open_data(path) as stream:
            found = lines(stream, section.encoding, section.longest, name)
            if section.item == "paragraph":
                found = paragraphs(found, section.longest)
            for line in found:
                where = f"{name} line {line.number}"
                if line.trouble:
                    bad.met(DataError(f"{where}: {line.trouble}"))
                elif line.text.strip():
                    yield TextRow(where, line.text, "", Keys(split=split))


def _of_folder(section: TextFolder, bad: BadItems) -> Iterator[TextRow]:
    for member in members(Path(section.path), is_text):
        try:
            label, keys = from_folders(member.name, section.folders)
            text = _decoded(member.read(), section, member.name)
        except DataError as error:
            bad.met(error)
            continue
        if text.strip():
            yield TextRow(member.name, text, label, keys)


def is_text(name: str) -> bool:
    """Whether the name of a file ends in .txt, compressed or not."""
    return PurePosixPath(plain_name(name)).suffix.lower() == ".txt"


def _decoded(content: bytes, section: TextFolder, name: str) -> str:
    if section.encoding == "utf-8":
        content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode(section.encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: byte {error.start + 1} is not {section.encoding}; set encoding, or save it "
            "anew"
        ) from None
    if len(text) > section.longest:
        raise DataError(f"{name}: longer than {section.longest} characters")
    return text
