import hashlib
import json
import os
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
    write_bytes,
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


def test_a_device_and_a_pipe_are_written_into_and_stay(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]
    # Through a link of this test's own, so that a failure cannot harm the machine's device.
    null = tmp_path / "null"
    null.symlink_to("/dev/null")
    write_bytes(null, b"nowhere")
    assert Path("/dev/null").is_char_device()
    assert null.is_symlink()


def test_a_full_device_is_named(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space") as caught:
        write_bytes(full, b"x")
    assert caught.value.filename == str(full)


def test_the_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_write_protected_file_behind_a_link_is_left_alone(tmp_path: Path) -> None:
    target, link = tmp_path / "cached", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o444)
    link.symlink_to(target)
    with pytest.raises(DataError, match="write-protected"):
        write_bytes(link, b"new")
    assert target.read_bytes() == b"old"


def test_a_failed_write_names_the_file_and_not_its_temporary(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.bin"
    with pytest.raises(OSError, match="No space") as caught:
        write_atomic(path, fail)
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("content", ["[" * 100_000, "1" * 10_000])
def test_json_beyond_what_can_be_read_is_one_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"x\.json: not valid JSON"):
        read_json(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "file").write_text("{}")
    for name, words in (
        ("pipe", "is a named pipe"),
        ("folder", "is a folder"),
        ("loop", "leads back to itself"),
        ("lost", "a link to .*nowhere, which is not there"),
        ("device", "is a device"),
        ("file/x.json", "file is a file and no folder"),
    ):
        with pytest.raises(DataError, match=words):
            read_json(tmp_path / name)
