"""Files that others made: every compression and form read, everything hostile or broken refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from catalogue_files import idx_bytes, python2_batch, tar_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from genline.core.errors import DataError
from genline.data.sources.files import compressed
from genline.data.sources.files.archives import members
from genline.data.sources.files.compressed import open_data, plain_name
from genline.data.sources.files.idx import open_idx
from genline.data.sources.files.lines import lines, paragraphs
from genline.data.sources.files.pickles import read_pickle

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
}
TEXT = "".join(f"line {i} of a text\n" for i in range(3000)).encode()


def read(path: Path) -> bytes:
    with open_data(path) as stream:
        return stream.read()


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(DataError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffix", PACKERS)
def test_every_compression_is_read_by_its_first_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT))
    assert read(path) == TEXT
    assert plain_name(path) == "a.txt"
    named_otherwise = path.rename(tmp_path / "a.txt")
    assert read(named_otherwise) == TEXT


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_compressed_file_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    whole = PACKERS[suffix](os.urandom(5000))
    path.write_bytes(whole[: len(whole) // 2])
    message = refused(lambda: read(path))
    assert f"a.txt.{suffix}: damaged or cut short" in message


def test_a_file_that_is_not_compressed_as_its_name_says_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"plain")
    assert "is no gz file though its name says so" in refused(lambda: read(tmp_path / "a.gz"))


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_decompression_bomb_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "FREE_BYTES", 2**20)
    path = tmp_path / f"bomb.{suffix}"
    path.write_bytes(PACKERS[suffix](bytes(2**25)))
    assert "over 200 times its size" in refused(lambda: read(path))


@pytest.mark.parametrize("place", ["missing.txt", "."])
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, place: str) -> None:
    assert str(tmp_path / place) in refused(lambda: read(tmp_path / place))


def tar_with(path: Path, info: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "C:/out.txt"])
def test_members_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = tar_with(tmp_path / "a.tar.gz", tarfile.TarInfo(name), b"x")
    assert "leads out of the archive" in refused(lambda: list(members(path)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "x")
    if not name.startswith("/"):  # zipfile itself takes the root off
        assert "leads out" in refused(lambda: list(members(tmp_path / "a.zip")))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a.png")
    info.type, info.linkname = kind, "/etc/passwd"
    path = tar_with(tmp_path / "a.tar.gz", info)
    assert "'a.png' is a link or a device" in refused(lambda: list(members(path)))


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "is a link" in refused(lambda: list(members(tmp_path / "a.zip")))


def test_a_bomb_in_a_zip_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2**27))
    assert "as a decompression bomb does" in refused(lambda: list(members(tmp_path / "a.zip")))


@pytest.mark.parametrize("kind", ["a.tar.gz", "a.zip"])
def test_an_archive_cut_short_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "a.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", os.urandom(50_000))
    else:
        path.write_bytes(tar_bytes({"a.txt": os.urandom(50_000)}))
    path.write_bytes(path.read_bytes()[:30_000])
    assert str(path) in refused(lambda: [m.read() for m in members(path)])


def test_a_folder_a_tar_and_a_zip_give_the_same_members(tmp_path: Path) -> None:
    files = {"a/1.txt": b"one", "b/2.txt": b"two"}
    (tmp_path / "a.tar.gz").write_bytes(tar_bytes(files | {".hidden": b"no"}))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            path = tmp_path / "folder" / name
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
    (tmp_path / "folder/.DS_Store").write_bytes(b"no")
    for place in ("a.tar.gz", "a.zip", "folder"):
        assert {m.name: m.read() for m in members(tmp_path / place)} == files


def test_a_dangling_link_and_a_file_that_vanishes_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (found,) = members(tmp_path)
    (tmp_path / "a.txt").unlink()
    assert "vanished while the folder was read" in refused(found.read)
    (tmp_path / "b.txt").symlink_to(tmp_path / "nothing")
    assert "link to nothing" in refused(lambda: list(members(tmp_path)))


def test_a_linked_folder_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "given").mkdir()
    (tmp_path / "given/cats").symlink_to(tmp_path / "real")
    assert "is a link to a folder" in refused(lambda: list(members(tmp_path / "given")))


def test_a_file_name_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(path, "wb") as file:  # noqa: PTH123  (a name of bytes)
        file.write(b"a")
    assert r"'caf\udce9.txt' is not UTF-8" in refused(lambda: list(members(tmp_path)))


class Hostile:
    def __reduce__(self) -> Any:
        return (os.system, ("echo harmed",))


def test_a_pickle_that_would_run_something_runs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    message = refused(lambda: read_pickle(pickle.dumps([Hostile()], 2), "a"))
    assert "it asks for" in message
    assert "harmed" not in capfd.readouterr().out


@pytest.mark.parametrize(
    "value",
    [
        {1},
        complex(1, 2),
        np.array([{}], object),
        np.array(["a"]),
        np.float64(1.0),
        Path("a"),
        Hostile,
    ],
)
def test_a_pickle_of_anything_else_is_refused(value: Any) -> None:
    assert "not a pickle of arrays, lists and strings" in refused(
        lambda: read_pickle(pickle.dumps(value, 2), "a")
    )


def test_a_batch_of_python_2_is_what_pickle_itself_would_load() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 12), np.uint8)
    content = python2_batch(images, [1, 2, 3])
    wanted = pickle.loads(content, encoding="bytes")
    found = read_pickle(content, "a")
    assert np.array_equal(found[b"data"], images)
    assert np.array_equal(found[b"data"], wanted[b"data"])
    assert found[b"labels"] == wanted[b"labels"] == [1, 2, 3]


@pytest.mark.parametrize("dtype", ["<u2", ">i4", "<f8", "?"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_of_numbers_come_through_a_pickle(dtype: str, protocol: int) -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    assert np.array_equal(read_pickle(pickle.dumps([array], protocol), "a")[0], array)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_a_value_or_one_line(content: bytes) -> None:
    try:
        read_pickle(content, "a")
    except DataError as error:
        assert "\n" not in str(error)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_a_damaged_batch_is_a_value_or_one_line(place: int, damage: bytes) -> None:
    content = bytearray(python2_batch(np.zeros((2, 3), np.uint8), [1, 2]))
    content[place : place + len(damage)] = damage
    try:
        read_pickle(bytes(content), "a")
    except DataError as error:
        assert "\n" not in str(error)


def read_idx(path: Path, dimensions: int = 3) -> np.ndarray:
    with open_idx(path, dimensions) as opened:
        return np.stack(list(opened.items()))


def test_an_idx_file_gives_the_array_that_was_written(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (4, 5, 6), np.uint8)
    (tmp_path / "a").write_bytes(gzip.compress(idx_bytes(array)))
    assert np.array_equal(read_idx(tmp_path / "a"), array)


IMAGES = idx_bytes(np.zeros((4, 5, 6), np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing, not an IDX file"),
        (b"\x89PNG\r\n", "begins with 89 50 4e 47, not an IDX file"),
        (IMAGES[:10], "ends within its header"),
        (IMAGES[:-1], "ends in item 4 of the 4 its header tells"),
        (IMAGES + b"!", "goes on after the 4 items"),
        (idx_bytes(np.zeros(4, np.uint8)), "has 1 dimensions, wanted 3"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "its header tells of 4294967295 items"),
        (b"\0\0\x08\x03" + bytes(12), "its header tells of 0 items"),
    ],
)
def test_an_idx_file_whose_header_lies_is_named(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a").write_bytes(content)
    assert message in refused(lambda: read_idx(tmp_path / "a"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_as_idx_are_an_array_or_one_line(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(b"\0\0\x08\x01" + content)
        try:
            read_idx(path, 1)
        except DataError as error:
            assert "\n" not in str(error)


def line_list(content: bytes, encoding: Any = "utf-8", longest: int = 100) -> list[Any]:
    stream = io.BufferedReader(io.BytesIO(content))
    return [(x.number, x.text, x.trouble) for x in lines(stream, encoding, longest, "a.txt")]


def test_lines_keep_their_numbers_whatever_ends_them() -> None:
    found = line_list(b"\xef\xbb\xbfone\r\n\ntwo\x00\nthree")
    assert [text for _, text, _ in found] == ["one", "", "two\0", "three"]
    assert [number for number, _, _ in found] == [1, 2, 3, 4]


def test_a_line_of_another_encoding_and_a_long_one_are_told_and_the_rest_is_read() -> None:
    found = line_list("one\nzwölf\n".encode("latin-1") + b"x" * 5_000_000 + b"\nlast\n")
    assert found[1] == (2, "", "byte 3 (0xf6) is not utf-8")
    assert found[2] == (3, "", "longer than 100 characters")
    assert found[3] == (4, "last", "")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "latin-1", "cp1252", "gb18030", "big5", "shift_jis", "euc-kr"]
)
def test_every_encoding_gives_the_text_back(encoding: str) -> None:
    text = {
        "gb18030": "中文和 text",
        "big5": "中文",
        "shift_jis": "日本語ソ",
        "euc-kr": "한국",
    }.get(encoding, "plain äöü" if encoding != "utf-8" else "日本 🎉")
    found = line_list(f"{text}\n\n{text}\n".encode(encoding), encoding)
    assert [t for _, t, _ in found] == [text, "", text]


def test_utf16_read_as_utf8_is_named_with_the_remedy() -> None:
    assert "is UTF-16; set encoding to utf-16" in refused(lambda: line_list("a\n".encode("utf-16")))
    found = line_list(("x" * 500 + "\nshort\n").encode("utf-16"), "utf-16")
    assert found == [(1, "", "longer than 100 characters"), (2, "short", "")]


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=20)))
def test_lines_are_those_that_were_joined(texts: list[str]) -> None:
    found = line_list("".join(f"{text}\n" for text in texts).encode())
    wanted = [text.removeprefix("\ufeff") if i == 0 else text for i, text in enumerate(texts)]
    assert [text for _, text, _ in found] == wanted


def test_paragraphs_are_joined_and_begin_at_their_first_line() -> None:
    content = b"\n\none\ntwo\n\n\nthree\n \n" + b"x" * 60 + b"\n" + b"y" * 60 + b"\n"
    stream = io.BufferedReader(io.BytesIO(content))
    found = list(paragraphs(lines(stream, "utf-8", 100, "a.txt"), 100))
    assert [(p.number, p.text) for p in found[:2]] == [(3, "one\ntwo"), (7, "three")]
    assert (found[2].number, found[2].trouble) == (9, "longer than 100 characters")
