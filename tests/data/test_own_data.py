"""Own data of every kind: read as they are, and one clear line for each way they can be broken."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogue_files import idx_bytes, tar_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import PIXELS, picture, refused

from genline.core.errors import DataError, ParamsError
from genline.core.params import parse_section
from genline.data.sources import registry
from genline.data.sources.config import SOURCES


def fetch(folder: Path, name: str, **settings: Any) -> list[Any]:
    """The items of a source of these settings; its raw form is left in ``folder``/raw."""
    section = parse_section(SOURCES[name][0], {"name": name, **settings}, "source")
    registry.fetch(section, folder / "raw")
    return list(registry.items(folder / "raw"))


FOLDER = {
    "folders": ["label"],
    "channels": 1,
    "height": 4,
    "width": 6,
    "fit": "exact",
    "background": 255,
    "on_bad_item": "stop",
}


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


PICTURES = {f"{c}/{i}.png": picture(PIXELS + i) for c in ("cat", "dog") for i in range(3)}


def test_a_folder_of_pictures_has_a_class_for_each_subfolder(tmp_path: Path) -> None:
    items = fetch(tmp_path, "image_folder", path=str(write(tmp_path / "p", PICTURES)), **FOLDER)
    assert [(i.name, i.label) for i in items] == [(n, int("dog" in n)) for n in sorted(PICTURES)]
    assert registry.record(tmp_path / "raw")["class_names"] == ["cat", "dog"]
    assert np.array_equal(items[0].pixels, PIXELS[None])


@pytest.mark.parametrize("kind", ["p.tar.gz", "p.zip"])
def test_an_archive_of_pictures_is_read_without_unpacking(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "p.zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in PICTURES.items():
                archive.writestr(name, content)
    else:
        path.write_bytes(tar_bytes(PICTURES))
    items = fetch(tmp_path, "image_folder", path=str(path), **FOLDER)
    assert {i.name for i in items} == set(PICTURES)
    assert {p.name for p in tmp_path.iterdir()} == {kind, "raw"}


def test_folders_can_say_split_and_class(tmp_path: Path) -> None:
    files = {f"{s}/{n}": c for s in ("train", "val", "test") for n, c in PICTURES.items()}
    settings = FOLDER | {"folders": ["split", "label"]}
    items = fetch(tmp_path, "image_folder", path=str(write(tmp_path / "p", files)), **settings)
    assert {(i.keys.split, i.label) for i in items} == {
        (s, c) for s in ("train", "valid", "test") for c in (0, 1)
    }


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"cat/x.png": b"words"}, "cat/x.png: not a PNG, JPEG, WebP, BMP or GIF picture"),
        ({"cat/x.png": PICTURES["cat/0.png"][:60]}, "cat/x.png: damaged or cut short"),
        ({"x.png": PICTURES["cat/0.png"]}, "x.png: stands in 0 folders, wanted <label>/<file>"),
        ({"cat/x.png": picture(PIXELS.T.copy())}, "cat/x.png: 6×4 pixels, wanted 4×6"),
    ],
)
def test_a_bad_picture_stops_or_is_skipped_and_counted(
    tmp_path: Path, extra: dict[str, bytes], message: str
) -> None:
    path = str(write(tmp_path / "p", PICTURES | extra))
    assert message in refused(lambda: fetch(tmp_path, "image_folder", path=path, **FOLDER))
    assert not (tmp_path / "raw").exists()
    items = fetch(tmp_path, "image_folder", path=path, **FOLDER | {"on_bad_item": "skip"})
    assert len(items) == len(PICTURES)
    skipped = registry.record(tmp_path / "raw")["skipped"]
    assert skipped["count"] == 1
    assert message in skipped["first"][0]


def test_an_empty_folder_and_a_missing_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    path = str(tmp_path / "p")
    assert "no items" in refused(lambda: fetch(tmp_path, "image_folder", path=path, **FOLDER))
    assert "no such file" in refused(
        lambda: fetch(tmp_path, "image_folder", path=path + "q", **FOLDER)
    )


def test_a_class_folder_too_deep_is_refused_by_its_settings() -> None:
    value = {"name": "image_folder", "path": "p", **FOLDER, "folders": ["label", "label"]}
    with pytest.raises(ParamsError, match="name each level once"):
        parse_section(SOURCES["image_folder"][0], value, "source")


def test_arrays_of_any_axes_are_brought_to_one_order(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    labels = np.arange(5)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels)
    parts = [{"images": "x_train", "labels": "y_train", "split": "train"}]
    items = fetch(
        tmp_path, "array", path=str(tmp_path / "a.npz"), axes="nhwc", values="levels", parts=parts
    )
    assert np.array_equal(np.stack([i.pixels for i in items]), images.transpose(0, 3, 1, 2))
    assert [i.label for i in items] == labels.tolist()
    (tmp_path / "f").mkdir()
    np.save(tmp_path / "f/x.npy", images.transpose(0, 3, 1, 2) / 255)
    parts = [{"images": "x.npy"}]
    again = fetch(
        tmp_path, "array", path=str(tmp_path / "f"), axes="nchw", values="unit", parts=parts
    )
    assert np.array_equal(np.stack([i.pixels for i in again]), images.transpose(0, 3, 1, 2))
    assert {i.label for i in again} == {None}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["x.npy", "x.npy.gz", "a.npz"])
def test_an_array_is_the_same_however_it_is_kept(tmp_path: Path, name: str, order: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2100, 3, 4), np.uint8)
    kept = np.asarray(images, order=order)
    part = name
    if name == "a.npz":
        np.savez_compressed(tmp_path / name, x=kept)
        part = "x"
    else:
        np.save(tmp_path / "x.npy", kept)
        if name.endswith(".gz"):
            (tmp_path / name).write_bytes(gzip.compress((tmp_path / "x.npy").read_bytes(), 1))
    settings = {"axes": "nhw", "values": "levels", "parts": [{"images": part}]}
    items = fetch(tmp_path, "array", path=str(tmp_path / name), **settings)
    assert np.array_equal(np.stack([i.pixels[0] for i in items]), images)
    assert items[1500].name == f"{part} item 1501"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((3, 4)), None, "has shape (3, 4), wanted 3 dimensions (nhw)"),
        (np.full((3, 4, 4), 256), None, "has values from 0 to 256, wanted 0 to 255"),
        (np.full((3, 4, 4), -1), None, "has values from -1"),
        (np.full((3, 4, 4), 0.5), None, "is float64, wanted whole numbers; or set values to unit"),
        (np.zeros((3, 4, 4), np.uint8), np.zeros(2, int), "is int64 (2,), wanted (3,)"),
        (np.zeros((0, 4, 4), np.uint8), None, "the source has no items"),
        (np.array([[[{}]]], object), None, "no array of numbers, but of object"),
    ],
)
def test_an_array_that_does_not_fit_is_named(
    tmp_path: Path, images: Any, labels: Any, message: str
) -> None:
    arrays = {"x": images} | ({} if labels is None else {"y": labels})
    np.savez(tmp_path / "a.npz", **arrays)
    part = {"images": "x"} | ({} if labels is None else {"labels": "y"})
    settings = {"path": str(tmp_path / "a.npz"), "axes": "nhw", "values": "levels", "parts": [part]}
    assert message in refused(lambda: fetch(tmp_path, "array", **settings))


def test_an_array_that_is_missing_is_offered_the_nearest(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 4, 4), np.uint8))
    settings = {"path": str(tmp_path / "a.npz"), "axes": "nhw", "values": "levels"}
    message = refused(lambda: fetch(tmp_path, "array", **settings, parts=[{"images": "image"}]))
    assert "did you mean 'images'?" in message


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.full((3, 4, 4), np.nan))
    settings = {"path": str(tmp_path / "a.npz"), "axes": "nhw", "values": "unit"}
    message = refused(lambda: fetch(tmp_path, "array", **settings, parts=[{"images": "x"}]))
    assert "has values from nan to nan, wanted 0 to 1" in message


def test_idx_files_of_ones_own_are_read(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6), np.uint8)
    write(
        tmp_path,
        {"x.gz": gzip.compress(idx_bytes(images)), "y": idx_bytes(np.arange(5, dtype=np.uint8))},
    )
    items = fetch(tmp_path, "idx", path=str(tmp_path), parts=[{"images": "x.gz", "labels": "y"}])
    assert np.array_equal(np.stack([i.pixels[0] for i in items]), images)
    assert [i.label for i in items] == [0, 1, 2, 3, 4]


TEXTS = {"encoding": "utf-8", "longest": 1000, "on_bad_item": "stop"}


@pytest.mark.parametrize(("item", "count"), [("line", 3), ("paragraph", 2)])
def test_a_file_of_texts_is_read_by_line_or_paragraph(
    tmp_path: Path, item: str, count: int
) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress("one\ntwo\n\nthrée\n".encode()))
    items = fetch(tmp_path, "text_file", path=str(path), item=item, **TEXTS)
    assert len(items) == count
    assert items[-1].text == "thrée"
    assert items[-1].name == "a.txt.gz line 4"


def test_a_file_for_each_split_gives_the_splits(tmp_path: Path) -> None:
    write(tmp_path / "t", {"a.txt": b"one\n", "b.txt": b"two\n"})
    files = {"train": "a.txt", "test": "b.txt"}
    settings = {"path": str(tmp_path / "t"), "files": files, "item": "line", **TEXTS}
    items = fetch(tmp_path, "text_file", **settings)
    assert [(i.text, i.keys.split) for i in items] == [("one", "train"), ("two", "test")]


def test_a_bad_line_is_named_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\n\xff\nalso good\n")
    settings = {"path": str(path), "item": "line", **TEXTS}
    message = refused(lambda: fetch(tmp_path, "text_file", **settings))
    assert message == "a.txt line 2: byte 1 (0xff) is not utf-8"
    items = fetch(tmp_path, "text_file", **settings | {"on_bad_item": "skip"})
    assert [i.text for i in items] == ["good", "also good"]
    assert registry.record(tmp_path / "raw")["skipped"]["count"] == 1


def test_a_folder_of_texts_has_one_a_file(tmp_path: Path) -> None:
    packed = gzip.compress(b"fine\nfilm")
    write(tmp_path / "t", {"pos/a.txt.gz": packed, "neg/b.txt": b"bad", "neg/c.pdf": b"%PDF"})
    items = fetch(tmp_path, "text_folder", path=str(tmp_path / "t"), folders=["label"], **TEXTS)
    assert [(i.text, i.label) for i in items] == [("bad", "neg"), ("fine\nfilm", "pos")]


ROWS = [
    {"note": 'first, "quoted"', "kind": "a", "who": "x", "when": "2024-01-01", "part": "train"},
    {"note": "two\nlines", "kind": "b", "who": "y", "when": "2024-02-01", "part": "val"},
    {"note": "中文", "kind": "a", "who": "x", "when": "2024-03-01", "part": "test"},
]
COLUMNS = {"text": "note", "label": "kind", "group": "who", "time": "when", "split": "part"}


def write_table(path: Path, form: str, rows: list[dict[str, Any]] = ROWS) -> Path:
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if form == "tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_of_any_form_gives_texts_and_keys(tmp_path: Path, form: str) -> None:
    path = write_table(tmp_path / f"a.{form}", form)
    items = fetch(tmp_path, "table", path=str(path), format=form, **COLUMNS, **TEXTS)
    assert [i.text for i in items] == [row["note"] for row in ROWS]
    assert [i.label for i in items] == ["a", "b", "a"]
    assert [(i.keys.split, i.keys.group, i.keys.time) for i in items] == [
        ("train", "x", "2024-01-01"),
        ("valid", "y", "2024-02-01"),
        ("test", "x", "2024-03-01"),
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_missing_column_is_offered_the_nearest(tmp_path: Path, form: str) -> None:
    path = write_table(tmp_path / f"a.{form}", form)
    settings = {"path": str(path), "format": form, "text": "notes", **TEXTS}
    assert "did you mean 'note'?" in refused(lambda: fetch(tmp_path, "table", **settings))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("note\n", "the source has no items"),
        ("", "is empty, wanted a line of column names"),
        ("note,kind\nfine,a\nragged\n", "a.csv line 3: has 1 columns, the header 2"),
        ("note,note\na,b\n", "has the column 'note' twice"),
        ('note\n"open\n', "a.csv line 2: "),
        ("note\n" + "x" * 5000 + "\n", "a.csv line 2: field larger than field limit"),
        ("note\n" + "x" * 1001 + "\n", "a.csv line 2: longer than 1000 characters"),
        ("note\n" + "x" * 50_000 + "\n", "a.csv line 2: a line longer than 18000 characters"),
    ],
)
def test_a_broken_table_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    settings = {"path": str(path), "format": "csv", "text": "note", **TEXTS}
    assert message in refused(lambda: fetch(tmp_path, "table", **settings))


def test_ragged_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"note,kind\nfine,a\nragged\n\n{'x' * 50_000},a\nalso,b\n")
    settings = {"path": str(path), "format": "csv", "text": "note", **TEXTS, "on_bad_item": "skip"}
    assert [i.text for i in fetch(tmp_path, "table", **settings)] == ["fine", "also"]
    assert registry.record(tmp_path / "raw")["skipped"]["count"] == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a.jsonl line 2: not JSON"),
        ("[1]", "a.jsonl line 2: found list '[1]', wanted an object"),
        ('{"note": 3}', "a.jsonl line 2: 'note' is int '3', wanted a text"),
        ('{"note": null}', "a.jsonl line 2: 'note' is nothing, wanted a text"),
        ('{"note": "\\ud800"}', "half a surrogate pair"),
        ("[" * 10_000, "a.jsonl line 2: not JSON"),
        ('{"note": ' + "9" * 5000 + "}", "a.jsonl line 2: not JSON"),
    ],
)
def test_a_broken_line_of_json_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"note": "fine"}}\n{line}\n')
    settings = {"path": str(path), "format": "jsonl", "text": "note", **TEXTS}
    assert message in refused(lambda: fetch(tmp_path, "table", **settings))


@pytest.mark.parametrize(
    ("value", "message"),
    [('"\\ud800"', "half a surrogate pair at character 1"), ("NaN", "is empty")],
)
def test_a_label_that_is_no_word_is_named(tmp_path: Path, value: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"note": "fine", "kind": {value}}}\n')
    settings = {"path": str(path), "format": "jsonl", "text": "note", "label": "kind", **TEXTS}
    assert (
        refused(lambda: fetch(tmp_path, "table", **settings)) == f"a.jsonl line 1, label: {message}"
    )


def test_a_parquet_file_of_another_type_or_cut_short_is_named(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.parquet", "parquet", [{"note": 1}])
    settings = {"path": str(path), "format": "parquet", "text": "note", **TEXTS}
    message = refused(lambda: fetch(tmp_path, "table", **settings))
    assert "column 'note' is int64, wanted string" in message
    path.write_bytes(path.read_bytes()[:-20])
    assert "not a whole Parquet file" in refused(lambda: fetch(tmp_path, "table", **settings))


def test_a_split_of_another_name_is_named(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", "csv", [ROWS[0] | {"part": "holdout"}])
    settings = {"path": str(path), "format": "csv", **COLUMNS, **TEXTS}
    message = refused(lambda: fetch(tmp_path, "table", **settings))
    assert "a.csv line 2: split is 'holdout', wanted train, valid or test" in message


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["csv", "jsonl"]))
def test_any_text_as_a_table_is_items_or_one_line(content: str, form: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_text(f"note\n{content}", encoding="utf-8", errors="surrogatepass", newline="")
        try:
            fetch(Path(folder), "table", path=str(path), format=form, text="note", **TEXTS)
        except DataError as error:
            assert "\n" not in str(error)


def test_reading_twice_gives_the_same_bytes_and_names_no_place(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", "csv")
    found = []
    for _ in range(2):
        fetch(tmp_path, "table", path=str(path), format="csv", **COLUMNS, **TEXTS)
        found.append({p.name: p.read_bytes() for p in (tmp_path / "raw").iterdir()})
    assert found[0] == found[1]
    assert not any(str(tmp_path).encode() in content for content in found[0].values())
