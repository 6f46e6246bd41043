"""Mining a package without importing it, and reading back what was mined."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from genline.core.errors import DataError
from genline.core.files import digest_file, read_json
from genline.data.sources import docstrings, mining, registry
from genline.data.sources.config import Docstrings

MODULE = '''
"""This package would fail if anything imported it."""
raise RuntimeError("imported")

def f(a):
    """Return the sum of all the given numbers.

    >>> f(1)
    This output of a doctest is not a sentence.
    """

class C:
    """Holds one value for as long as needed."""

SHARED = """
Return the largest of all the given numbers.

More about it stands in the manual of the package.
"""
MESSAGE = "This message of an error is not documentation."
'''
SENTENCES = [
    "This package would fail if anything imported it.",
    "Return the sum of all the given numbers.",
    "Holds one value for as long as needed.",
    "Return the largest of all the given numbers.",
    "More about it stands in the manual of the package.",
]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "site" / "fakepackage"
    for folder in ("sub", "tests"):
        (root / folder).mkdir(parents=True)
    (root / "__init__.py").write_text(MODULE)
    (root / "sub" / "deep.py").write_text('"""Return the sum of all the given numbers."""\n')
    (root / "sub" / "old.py").write_text('print "Python two is a syntax error here."\n')
    (root / "sub" / "test_it.py").write_text('"""A test file is left out of it."""\n')
    (root / "tests" / "more.py").write_text('"""A tests folder is left out of it."""\n')
    monkeypatch.setattr(sys, "path", [str(root.parent), *sys.path])
    return root


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    library = tmp_path / "library"
    library.mkdir()
    (library / "first.py").write_text(MODULE)
    monkeypatch.setattr(docstrings, "package_root", lambda package: library)
    folder = tmp_path / "raw" / "docstrings"
    section = Docstrings(
        name="docstrings", path="requirements.lock", packages=["stdlib"], min_words=5, max_words=30
    )
    registry.fetch(section, folder)
    return folder


def broken(folder: Path, content: bytes) -> str:
    (folder / docstrings.FILE).write_bytes(content)
    with pytest.raises(DataError) as error:
        list(registry.items(folder))
    return str(error.value)


def test_documentation_is_mined_in_order_and_each_sentence_once(package: Path) -> None:
    found = list(docstrings.mine(["fakepackage"], 5, 30))
    assert [line["text"] for line in found] == SENTENCES
    assert {line["module"] for line in found} == {"fakepackage"}
    assert "fakepackage" not in sys.modules


def test_two_processes_find_what_one_does() -> None:
    root = mining.package_root("stdlib")
    tasks = [("stdlib", root, [root / f"{name}.py"], 5, 30) for name in ("abc", "bisect", "cmd")]
    tasks += tasks[:1]
    one = list(docstrings._each(tasks, processes=1))
    assert list(docstrings._each(tasks, processes=2)) == one
    assert sum(map(len, one)) > 20


def test_test_folders_and_guests_of_the_standard_library_are_left_out() -> None:
    root = mining.package_root("stdlib")
    files = [path.relative_to(root) for path in mining.source_files(root)]
    folders = {part for path in files for part in path.parts[:-1]}
    assert {"json", "pydoc_data"} <= folders
    assert not {"test", "tests", "idlelib", "turtledemo", "site-packages"} & folders


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(DataError, match="'no_such_package' is not installed"):
        list(docstrings.mine(["no_such_package"], 5, 30))


def test_the_record_tells_versions_and_digest_and_no_place_on_disk(raw: Path) -> None:
    record = read_json(raw / registry.RECORD)
    assert record["sha256"] == digest_file(raw / docstrings.FILE)
    assert record["items"] == len(SENTENCES)
    assert set(record["versions"]) == {"python", "stdlib"}
    assert not any(str(raw.parents[1]) in path.read_text() for path in raw.iterdir())


def test_what_is_written_is_read_back(raw: Path) -> None:
    items = list(docstrings.items(raw))
    assert [item.text for item in items] == SENTENCES
    assert (items[4].name, items[4].label) == ("docstrings.jsonl line 5", "stdlib")


def test_an_empty_text_is_read_for_the_expectations_to_catch(raw: Path) -> None:
    (raw / docstrings.FILE).write_text('{"text": ""}\n')
    assert [item.text for item in docstrings.items(raw)] == [""]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "half', 'line 2: found \'{"text": "half\', wanted a JSON object'),
        (b"\xff\xfe", "line 2: byte 1 is not UTF-8"),
        (b'{"txt": "a"}', "line 2: found keys ['txt'], wanted an object with a string"),
        (b'{"text": 3}', "line 2: found keys ['text'], wanted an object with a string"),
        (b"[1]", "line 2: found a list, wanted an object with a string under 'text'"),
        (b'{"text": "\\ud800"}', "line 2: the text holds half a surrogate pair at character 1"),
        (b'{"text": "a", "package": "\\ud800"}', "line 2: the package holds half a surrogate"),
        (b'{"text": "a", "package": {"b": 1}}', "line 2: found no string under 'package'"),
        (b"[" * 100_000, "line 2: nested too deeply"),
        (b"1" * 10_000, "line 2: nested too deeply, or a number of thousands of digits"),
        (b"", "line 2: found '', wanted a JSON object"),
    ],
)
def test_a_broken_line_is_named(raw: Path, line: bytes, message: str) -> None:
    good = json.dumps({"text": "A whole line."}).encode()
    assert message in broken(raw, b"\n".join([good, line, good, b""]))


def test_a_byte_order_mark_is_named(raw: Path) -> None:
    content = b'\xef\xbb\xbf{"text": "A whole line."}\n'
    assert "begins with a byte order mark; save it as UTF-8 without" in broken(raw, content)


def test_what_is_no_regular_file_is_named(raw: Path) -> None:
    (raw / docstrings.FILE).unlink()
    os.mkfifo(raw / docstrings.FILE)
    with pytest.raises(DataError, match="is a named pipe; a regular file is wanted"):
        list(registry.items(raw))


def test_an_empty_file_is_named(raw: Path) -> None:
    assert "docstrings.jsonl: holds no lines" in broken(raw, b"")


def test_a_record_of_no_known_source_is_named(raw: Path) -> None:
    (raw / registry.RECORD).write_text('{"name": "elsewhere"}')
    with pytest.raises(DataError, match="names no known source"):
        registry.items(raw)
