"""Opening prepared data: what is not what was prepared is named before anything uses it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genline.core.errors import DataError
from genline.core.files import digest_file, read_json, write_json
from genline.data import prepared
from genline.data.prepared import load_prepared, spec_from_json, spec_to_json

IMAGES = {"kind": "image", "channels": 1, "height": 4, "width": 4, "levels": 17, "classes": 3}
TEXTS = {"kind": "text", "vocabulary": 50, "max_tokens": 5}
SIZES = {"train": 6, "valid": 3, "test": 3}


def write(folder: Path, name: str, array: Any) -> None:
    np.save(folder / f"{name}.npy", array)


def seal(folder: Path, spec: dict[str, Any]) -> None:
    """Write a meta.json that vouches for what stands in ``folder`` now."""
    digests = {p.name: digest_file(p) for p in sorted(folder.glob("*.npy"))}
    write_json(folder / "meta.json", {"spec": spec, "counts": SIZES, "digests": digests})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size in SIZES.items():
        write(folder, f"{name}_images", np.full((size, 1, 4, 4), 16, np.uint8))
        write(folder, f"{name}_labels", np.arange(size) % 3)
    seal(folder, IMAGES)
    return folder


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    folder = tmp_path / "prose"
    folder.mkdir()
    for name, size in SIZES.items():
        write(folder, f"{name}_tokens", np.full(2 * size, 49, np.uint16))
        write(folder, f"{name}_offsets", np.arange(size + 1) * 2)
    seal(folder, TEXTS)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_prepared(folder).split("train")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_whole_data_is_opened(pictures: Path, prose: Path) -> None:
    assert len(load_prepared(pictures).split("train")) == 6
    assert len(load_prepared(prose).split("test")) == 3


@pytest.mark.parametrize("name", ["train_images", "test_labels"])
def test_an_array_that_was_changed_is_named_whichever_it_is(pictures: Path, name: str) -> None:
    array = np.load(pictures / f"{name}.npy")
    array.flat[0] = 1 - min(array.flat[0], 1)
    write(pictures, name, array)
    assert f"{name}.npy: is not the file that was prepared" in refused(pictures)


def test_a_file_that_is_gone_or_no_file_is_named(pictures: Path) -> None:
    labels = pictures / "train_labels.npy"
    labels.unlink()
    assert "train_labels.npy: no such file; `dvc checkout` brings it back" in refused(pictures)
    os.mkfifo(labels)
    assert "train_labels.npy: is a named pipe" in refused(pictures)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({}, "meta.json: holds no spec"),
        ([], "meta.json: holds no spec"),
        ({"spec": {"kind": "image"}}, "wants the keys channels, height, width, levels, classes"),
        ({"spec": {**IMAGES, "kind": "sound"}}, "of no kind; wanted: image or text"),
        ({"spec": {**IMAGES, "channels": "a"}}, "channels is not a whole number, 1 or more"),
        ({"spec": {**TEXTS, "vocabulary": 0}}, "vocabulary is not a whole number, 1 or more"),
        ({"spec": IMAGES, "digests": []}, "digests is no block of keys"),
    ],
)
def test_a_meta_of_another_shape_is_named(pictures: Path, meta: object, words: str) -> None:
    write_json(pictures / "meta.json", meta)
    text = refused(pictures)
    assert words in text
    assert "meta.json" in text


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("train_images", np.zeros((6, 1, 2, 2), np.uint8), r"wanted uint8 (n, 1, 4, 4)"),
        ("train_images", np.zeros((6, 1, 4, 4), np.int64), "found int64"),
        ("train_images", np.full((6, 1, 4, 4), 200, np.uint8), "grey level 200, wanted 0 to 16"),
        ("train_images", np.zeros((5, 1, 4, 4), np.uint8), "found 5 items, wanted 6"),
        ("train_labels", np.zeros(5, np.int64), "found int64 (5,), wanted int64 (6,)"),
        ("train_labels", np.full(6, 99), "found labels 99 to 99, wanted 0 to 2"),
        ("train_labels", np.full(6, -1), "found labels -1 to -1, wanted 0 to 2"),
    ],
)
def test_images_that_do_not_fit_the_spec_are_named_even_where_nothing_vouches_for_them(
    pictures: Path, name: str, array: Any, words: str
) -> None:
    write(pictures, name, array)
    seal(pictures, IMAGES)
    text = refused(pictures)
    assert f"{name}.npy" in text
    assert words in text


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("train_tokens", np.full(12, 60_000, np.uint16), "tokens 60000 to 60000, wanted 3 to 49"),
        ("train_tokens", np.full(12, 1, np.uint16), "tokens 1 to 1, wanted 3 to 49"),
        ("train_tokens", np.full(12, 5.0), "found float64"),
        ("train_offsets", np.arange(7)[::-1] * 2, "found offsets 12 to 0"),
        ("train_offsets", np.arange(7), "found offsets 0 to 6, wanted rising ones from 0 to 12"),
        ("train_offsets", np.array([0, 6, 2, 4, 6, 8, 12]), "rising ones from 0 to 12"),
        ("train_offsets", np.array([0, 0, 0, 0, 0, 0, 12]), "a text of 12 tokens, wanted at most"),
        ("train_offsets", np.arange(4), "found 3 items, wanted 6"),
        ("train_offsets", np.arange(7.0), "found float64"),
    ],
)
def test_texts_that_do_not_fit_the_spec_are_named(
    prose: Path, name: str, array: Any, words: str
) -> None:
    write(prose, name, array)
    seal(prose, TEXTS)
    text = refused(prose)
    assert f"{name}.npy" in text
    assert words in text


def test_an_empty_split_is_named(pictures: Path) -> None:
    write(pictures, "train_images", np.zeros((0, 1, 4, 4), np.uint8))
    seal(pictures, IMAGES)
    meta = read_json(pictures / "meta.json")
    write_json(pictures / "meta.json", {**meta, "counts": {**SIZES, "train": 0}})
    assert "train_images.npy: holds no items" in refused(pictures)


def test_a_file_too_large_to_hash_is_still_held_against_the_spec(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "HASHED", 0)
    write(pictures, "train_images", np.full((6, 1, 4, 4), 3, np.uint8))
    assert len(load_prepared(pictures).split("train")) == 6
    write(pictures, "train_images", np.full((6, 1, 4, 4), 17, np.uint8))
    assert "grey level 17" in refused(pictures)


def test_opening_a_megabyte_takes_no_time_to_speak_of(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in SIZES:
        write(tmp_path, f"{name}_images", random.integers(0, 17, (10_000, 1, 4, 4), np.uint8))
        write(tmp_path, f"{name}_labels", np.arange(10_000) % 3)
    digests = {p.name: digest_file(p) for p in tmp_path.glob("*.npy")}
    meta = {"spec": IMAGES, "digests": digests}
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    began = time.process_time()
    load_prepared(tmp_path).split("train")
    assert time.process_time() - began < 0.05


def test_a_spec_comes_back_as_it_was() -> None:
    for value in (IMAGES, TEXTS):
        assert spec_to_json(spec_from_json(value)) == value
