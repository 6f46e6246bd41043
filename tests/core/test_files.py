import hashlib
import json
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.core.errors import DataError
from genline.core.files import (
    canonical_json,
    digest_bytes,
    digest_file,
    digest_tree,
    read_json,
    write_atomic,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"good")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_atomic(path, fail)
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_makes_its_folder(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b.json", {"x": 1})
    assert read_json(tmp_path / "a" / "b.json") == {"x": 1}


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert canonical_json(dict(reversed(list(value.items())))) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError):
        canonical_json({"x": float("nan")})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_broken_json_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.json"):
        read_json(path)


def test_digests_are_sha256(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 100_000)
    expected = hashlib.sha256(b"abc" * 100_000).hexdigest()
    assert digest_file(path) == expected == digest_bytes(b"abc" * 100_000)


def test_a_tree_digest_sees_names_and_bytes_but_not_caches(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = digest_tree([tmp_path], tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert digest_tree([tmp_path], tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    second = digest_tree([tmp_path], tmp_path)
    (tmp_path / "b.py").write_text("2")
    assert len({first, second, digest_tree([tmp_path], tmp_path)}) == 3
