"""The digits: the file of scikit-learn unchanged, and a clear line for each way to break it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from genline.core.errors import DataError
from genline.core.files import digest_file, read_json, write_json
from genline.data.engines.ordered import Engine
from genline.data.sources import digits, registry
from genline.data.sources.config import Digits

ROW = ",".join(["3"] * 64 + ["7"])


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw" / "digits"
    registry.fetch(Digits(name="digits", path="requirements.lock"), folder)
    return folder


def broken(folder: Path, content: bytes) -> str:
    (folder / digits.FILE).write_bytes(content)
    with pytest.raises(DataError) as error:
        list(registry.items(folder))
    return str(error.value)


def test_items_are_the_images_that_scikit_learn_loads(raw: Path) -> None:
    items = list(digits.items(raw))
    wanted = load_digits()
    assert np.array_equal(np.stack([i.pixels[0] for i in items]), wanted.images)
    assert [i.label for i in items] == wanted.target.tolist()
    assert items[16].name == "digits.csv.gz row 17"


def test_the_record_holds_the_digest_of_the_file(raw: Path) -> None:
    record = read_json(raw / registry.RECORD)
    assert record["sha256"] == digest_file(raw / digits.FILE)
    assert (record["name"], record["kind"], record["levels"]) == ("digits", "image", 17)


def test_fetching_twice_gives_the_same_bytes(raw: Path) -> None:
    before = {path.name: path.read_bytes() for path in raw.iterdir()}
    registry.fetch(Digits(name="digits", path="requirements.lock"), raw)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before
    assert [path.name for path in raw.parent.iterdir()] == [raw.name]


def test_a_failed_fetch_leaves_the_old_folder(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(path.name for path in raw.iterdir())

    def fail(section: Digits, folder: Path, engine: Engine) -> None:
        (folder / "half").write_text("written")
        raise DataError("the source went away")

    monkeypatch.setattr(digits, "fetch", fail)
    with pytest.raises(DataError, match="went away"):
        registry.fetch(Digits(name="digits", path="requirements.lock"), raw)
    assert sorted(path.name for path in raw.iterdir()) == before
    assert [path.name for path in raw.parent.iterdir()] == [raw.name]


def test_a_truncated_archive_is_named(raw: Path) -> None:
    whole = (raw / digits.FILE).read_bytes()
    message = broken(raw, whole[: len(whole) // 2])
    assert "digits.csv.gz: not a whole gzip file" in message


def test_a_file_that_is_no_archive_is_named(raw: Path) -> None:
    assert "not a whole gzip file" in broken(raw, b"1,2,3\n")


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_named(raw: Path, content: bytes) -> None:
    assert "digits.csv.gz: " in broken(raw, content)


def test_a_row_of_another_length_is_named_with_both_lengths(raw: Path) -> None:
    message = broken(raw, gzip.compress(f"{ROW}\n{ROW},1\n".encode()))
    assert "row 2: found 66 columns, wanted 65" in message


@pytest.mark.parametrize("cell", ["nan", "inf", "", "2.5", "seven", "1e300"])
def test_a_cell_that_is_no_whole_number_is_named(raw: Path, cell: str) -> None:
    row = ROW.replace("3,3,", f"3,{cell},", 1)
    message = broken(raw, gzip.compress(f"{ROW}\n{ROW}\n{row}\n".encode()))
    assert f"row 3, column 2: found '{cell}', wanted a whole number" in message


def test_bytes_that_are_no_text_are_named(raw: Path) -> None:
    assert "byte 2 after unpacking is not ASCII" in broken(raw, gzip.compress(b"1,\xff\n"))


def test_a_value_out_of_range_is_read_for_the_expectations_to_catch(raw: Path) -> None:
    (raw / digits.FILE).write_bytes(gzip.compress(ROW.replace("3", "99", 1).encode()))
    (item,) = digits.items(raw)
    assert item.pixels.max() == 99


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (",".join(["1" * 200_000] * 65), "row 1: not CSV"),
        (f"{ROW}\n{ROW}\n{'1' * 200_000}", "row 3: not CSV"),
    ],
)
def test_a_cell_that_no_reader_takes_is_named(raw: Path, rows: str, message: str) -> None:
    assert message in broken(raw, gzip.compress(rows.encode()))


def test_a_device_or_a_folder_as_the_file_is_named(raw: Path) -> None:
    file = raw / digits.FILE
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(DataError, match="is a device; a regular file is wanted"):
        list(registry.items(raw))
    file.unlink()
    file.mkdir()
    with pytest.raises(DataError, match="is a folder; a regular file is wanted"):
        list(registry.items(raw))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "names no known source"),
        ({"name": ["digits"], "kind": "image"}, "names no known source"),
        ({"name": "digits"}, "kind is neither image nor text"),
        ({"name": "digits", "kind": "image"}, "holds no versions"),
        ({"name": "digits", "kind": "image", "versions": {}}, "levels is not a whole number"),
        (
            {"name": "digits", "kind": "image", "versions": {}, "levels": "x"},
            "levels is not a whole number, 2 or more; run the download stage again",
        ),
        (
            {"name": "digits", "kind": "image", "versions": {}, "levels": 17, "classes": -1},
            "classes is not a whole number, 0 or more",
        ),
    ],
)
def test_a_record_of_another_shape_is_named(raw: Path, record: object, message: str) -> None:
    write_json(raw / registry.RECORD, record)
    with pytest.raises(DataError, match=message):
        registry.record(raw)
