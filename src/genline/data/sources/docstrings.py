"""Sentences of English mined from the docstrings of installed packages.

``docstrings.jsonl`` holds one sentence a line with the package and module it was first met in.
What is found depends on the versions of Python and of the packages, which are recorded.
"""

from __future__ import annotations

import codecs
import json
import platform
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from genline.core import wording
from genline.core.errors import DataError
from genline.core.files import digest_bytes, require_regular, write_bytes
from genline.core.progress import Progress
from genline.data.engines.ordered import Engine
from genline.data.sources.config import Docstrings
from genline.data.sources.items import TextItem
from genline.data.sources.mining import (
    documentation,
    module_name,
    package_root,
    package_version,
    source_files,
)
from genline.data.sources.prose import sentences

FILE = "docstrings.jsonl"
_CHUNK = 40  # files a task, small enough that two processes end together

Task = tuple[str, Path, list[Path], int, int]  # package, its root, files, min and max words


def fetch(section: Docstrings, folder: Path, engine: Engine) -> dict[str, Any]:
    """Write the sentences of all packages, each once; return their record."""
    lines = list(mine(section.packages, section.min_words, section.max_words))
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    write_bytes(folder / FILE, content)
    return {
        "versions": {
            "python": platform.python_version(),
            **{package: package_version(package) for package in sorted(section.packages)},
        },
        "sha256": digest_bytes(content),
        "items": len(lines),
        "licence": "Python: PSF-2.0; numpy, scipy, pandas, scikit-learn: BSD-3-Clause",
        "description": "English sentences from the docstrings of installed Python packages",
    }


def mine(
    packages: Iterable[str], min_words: int, max_words: int, processes: int = 2
) -> Iterator[dict[str, str]]:
    """``{"text", "package", "module"}`` of each different sentence, by package, file, position.

    Raises DataError when a package is not installed.
    """
    tasks: list[Task] = []
    for package in sorted(packages):
        root = package_root(package)
        files = source_files(root)
        tasks += [
            (package, root, files[start : start + _CHUNK], min_words, max_words)
            for start in range(0, len(files), _CHUNK)
        ]
    seen: set[str] = set()
    for found in _each(tasks, processes):
        for package, module, text in found:
            if text not in seen:
                seen.add(text)
                yield {"text": text, "package": package, "module": module}


def _each(tasks: list[Task], processes: int) -> Iterator[list[tuple[str, str, str]]]:
    files = sum(len(task[2]) for task in tasks)
    with Progress("reading docstrings", files, unit="file", brief=True) as bar:
        for task, found in zip(tasks, _mined(tasks, processes), strict=True):
            yield found
            bar.advance(len(task[2]))


def _mined(tasks: list[Task], processes: int) -> Iterator[list[tuple[str, str, str]]]:
    if processes == 1 or len(tasks) < 4:  # starting processes takes longer
        yield from map(_mine_files, tasks)
        return
    # spawn: forking a process that runs threads is unsafe, and this works on every system.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_mine_files, tasks)


def _mine_files(task: Task) -> list[tuple[str, str, str]]:
    package, root, files, min_words, max_words = task
    return [
        (package, module_name(package, root, path), sentence)
        for path in files
        for text in documentation(path)
        for sentence in sentences(text, min_words, max_words)
    ]


def items(folder: Path) -> Iterator[TextItem]:
    """The sentences in file order.

    Raises DataError naming the file and line when the file is missing or empty, or a line is not
    UTF-8, not a JSON object, or lacks a text.
    """
    path = folder / FILE
    try:
        require_regular(path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run the download stage again") from None
    if content.startswith(codecs.BOM_UTF8):
        raise DataError(f"{path}: begins with a byte order mark; save it as UTF-8 without one")
    lines = content.splitlines()
    if not lines:
        raise DataError(f"{path}: holds no lines; download it again")
    for number, line in enumerate(lines, start=1):
        yield _item(path, number, line)


def _item(path: Path, number: int, line: bytes) -> TextItem:
    where = f"{path}, line {number}"
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start + 1} is not UTF-8; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        start = line.decode("utf-8")[:40]
        raise DataError(
            f"{where}: found '{start}', wanted a JSON object ({error.msg} at {error.pos + 1})"
        ) from None
    except (ValueError, RecursionError):
        raise DataError(
            f"{where}: nested too deeply, or a number of thousands of digits; wanted a JSON object"
        ) from None
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        held = f"keys {sorted(value)}"[:60] if isinstance(value, dict) else wording.found(value)
        raise DataError(f"{where}: found {held}, wanted an object with a string under 'text'")
    package = value.get("package", "")
    if not isinstance(package, str):
        raise DataError(f"{where}: found no string under 'package'; write one, or leave it out")
    for what, written in (("text", text), ("package", package)):
        try:
            written.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{where}: the {what} holds half a surrogate pair at character {error.start + 1}; "
                "write it whole, or take it out"
            ) from None
    return TextItem(f"{path.name} line {number}", text, package)
