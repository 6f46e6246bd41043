"""Texts in a file, by the line or by the paragraph, and in a folder, one a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from genline.core.errors import DataError
from genline.core.progress import Progress
from genline.data.engines.ordered import Engine
from genline.data.sources.files.archives import count_members, members
from genline.data.sources.files.compressed import open_data, plain_name, unpack
from genline.data.sources.files.lines import lines, paragraphs
from genline.data.sources.items import Keys
from genline.data.sources.own.config import TextFile, TextFolder
from genline.data.sources.own.places import from_folders, split_files
from genline.data.sources.own.text_ranges import in_ranges, ranges, read
from genline.data.sources.packed import BadItems, TextRow, items, write_tables, write_texts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["fetch", "items"]

_KILO = 1000
Files = list[tuple[str, Path, str]]  # split, place and short name of each


def fetch(section: TextFile | TextFolder, folder: Path, engine: Engine) -> dict[str, Any]:
    """Bring the texts into one table; return the record.

    Blank lines and blank files are no texts. Raises DataError naming the file and line that
    cannot be read, unless such are skipped; and when there are none at all.
    """
    bad = BadItems(section.on_bad_item == "skip")
    if isinstance(section, TextFile):
        files = list(split_files(section.path, section.files))
        if all(in_ranges(section, path) for _, path, _ in files):
            record = write_tables(folder, _in_ranges(section, files, bad, engine), bad)
        else:
            record = write_texts(folder, _of_files(section, files, bad), bad)
        return {**record, "description": f"texts, one a {section.item}"}
    record = write_texts(folder, _of_folder(section, bad), bad)
    return {**record, "description": "texts, one a file"}


def _in_ranges(
    section: TextFile, files: Files, bad: BadItems, engine: Engine
) -> Iterator[pa.Table]:
    size = sum(path.stat().st_size for _, path, _ in files)
    parts = (part for file in files for part in ranges(section, *file))
    with Progress(
        f"reading {Path(section.path).name}", size // _KILO, unit="kilobyte", brief=True
    ) as bar:
        done = 0
        for found in engine.map(read, parts):
            bad.met_many(found.bad, found.first_bad)
            if found.texts is not None:
                yield found.texts
            bar.advance((done + found.size) // _KILO - done // _KILO)
            done += found.size


def _of_files(section: TextFile, files: Files, bad: BadItems) -> Iterator[TextRow]:
    for split, path, name in files:
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
    path = Path(section.path)
    with Progress(
        f"reading {path.name}", count_members(path, is_text), unit="text", brief=True
    ) as bar:
        for member in members(path, is_text):
            bar.advance()
            try:
                label, keys = from_folders(member.name, section.folders)
                text = _decoded(unpack(member.read(), member.name), section, member.name)
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
