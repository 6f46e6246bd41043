"""Any damage to a file of any form is items or one line, never anything else."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_files import tar_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_pictures import PIXELS, RGB, picture

from genline.core.errors import DataError
from genline.core.params import parse_section
from genline.data.engines.ordered import Here
from genline.data.sources.config import SOURCES
from genline.data.sources.files.archives import members
from genline.data.sources.files.arrays import array_names, blocks
from genline.data.sources.files.pictures import Form, decode
from genline.data.sources.own import table
from genline.data.starting.look import look

FILES = {"a/1.txt": b"one text" * 40, "b/2.txt": b"another" * 40}


def zip_bytes(packing: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packing) as archive:
        for name, text in FILES.items():
            archive.writestr(f"é{name}", text)
    return content.getvalue()


def long_names() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in FILES.items():
            info = tarfile.TarInfo(f"{name[0] * 150}/é{name}")
            info.size, info.mtime = len(text), 1.5
            archive.addfile(info, io.BytesIO(text))
    return content.getvalue()


def npz_bytes(save: Callable[..., None]) -> bytes:
    content = io.BytesIO()
    save(content, x=np.arange(60, dtype=np.uint8).reshape(5, 3, 4), y=np.arange(5))
    return content.getvalue()


def npy_bytes(order: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, np.arange(60, dtype=np.int16).reshape(5, 3, 4).copy(order))
    return content.getvalue()


def parquet_bytes() -> bytes:
    content = io.BytesIO()
    words = [f"text number {i}" for i in range(40)]
    pq.write_table(pa.table({"text": words, "label": ["a", "b"] * 20}), content)
    return content.getvalue()


def read_members(path: Path) -> int:
    return sum(len(member.read()) for member in members(path))


def read_arrays(path: Path) -> int:
    return sum(block.size for name in array_names(path) for block in blocks(path, name, 2))


def read_table(path: Path) -> int:
    settings = {"name": "table", "path": str(path), "format": "parquet", "text": "text"}
    settings |= {"label": "label", "encoding": "utf-8", "longest": 100, "on_bad_item": "stop"}
    section = parse_section(SOURCES["table"][0], settings, "source")
    (path.parent / "raw").mkdir(exist_ok=True)
    found: int = table.fetch(section, path.parent / "raw", Here())["items"]
    return found


WHOLE: dict[str, tuple[bytes, Callable[[Path], int]]] = {
    "a.zip": (zip_bytes(zipfile.ZIP_DEFLATED), read_members),
    "b.zip": (zip_bytes(zipfile.ZIP_LZMA), read_members),
    "c.zip": (zip_bytes(zipfile.ZIP_BZIP2), read_members),
    "a.tar.gz": (tar_bytes(FILES), read_members),
    "b.tar": (long_names(), read_members),
    "a.npz": (npz_bytes(np.savez_compressed), read_arrays),
    "b.npz": (npz_bytes(np.savez), read_arrays),
    "a.npy": (npy_bytes("C"), read_arrays),
    "b.npy.gz": (gzip.compress(npy_bytes("F")), read_arrays),
    "a.parquet": (parquet_bytes(), read_table),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    content, read = WHOLE[name]
    (tmp_path / name).write_bytes(content)
    characters = sum(map(len, FILES.values()))
    wanted = {read_members: characters, read_arrays: 65 if "npz" in name else 60, read_table: 40}
    assert read(tmp_path / name) == wanted[read]


@pytest.mark.parametrize("name", WHOLE)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_file_is_read_or_is_one_line(tmp_path: Path, name: str, data: Any) -> None:
    content, read = WHOLE[name]
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(0, 3))):
        # Headers and directories stand at either end.
        near = data.draw(st.integers(0, min(150, len(content) - 1)))
        place = data.draw(st.sampled_from([near, len(content) - 1 - near, near * 7]))
        damage = data.draw(st.binary(min_size=1, max_size=4))
        damaged[place : place + len(damage)] = damage
    cut = data.draw(st.sampled_from([0, 0, 1, 20, len(content) // 2]))
    path = tmp_path / name
    path.write_bytes(damaged[: len(damaged) - cut])
    for use in (read, look):
        try:
            use(path)  # type: ignore[operator]
        except DataError as error:
            assert "\n" not in str(error)


PICTURES = {form: picture(RGB, form) for form in ("PNG", "GIF", "BMP", "JPEG", "WEBP")}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(PICTURES)), st.integers(0, 300), st.binary(min_size=1, max_size=6))
def test_a_damaged_picture_is_a_picture_or_one_line(form: str, place: int, damage: bytes) -> None:
    content = bytearray(PICTURES[form])
    content[place : place + len(damage)] = damage
    try:
        decode(bytes(content), Form(3, 4, 6, "resize", 0), "a")
    except DataError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("fit", ["resize", "crop", "pad"])
@pytest.mark.parametrize("shape", [(4000, 1), (1, 4000)])
def test_a_picture_of_one_line_of_pixels_is_a_picture_or_one_line(
    fit: Any, shape: tuple[int, int]
) -> None:
    content = picture(np.resize(PIXELS, shape))
    try:
        assert decode(content, Form(1, 8, 8, fit, 0), "a").pixels.shape == (1, 8, 8)
    except DataError as error:
        assert str(error).startswith("a: ")


@pytest.mark.parametrize(
    "name", ["a.txt", "a.csv", "a.zip", "a.tar", "a.npz", "a.npy", "a.parquet"]
)
def test_a_named_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="a named pipe"):
        look(str(tmp_path / name))
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    assert stat.S_ISCHR((tmp_path / name).stat().st_mode)
    with pytest.raises(DataError, match="a device"):
        look(str(tmp_path / name))
