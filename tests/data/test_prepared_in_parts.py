"""Data of many parts: the same bytes whoever prepares them, and nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_pictures import picture

from genline.core.errors import DataError
from genline.core.files import digest_tree, read_json
from genline.core.params import parse_section
from genline.data.engines.cluster import Cluster
from genline.data.engines.ordered import Engine, Here
from genline.data.engines.processes import Processes
from genline.data.preparation import images, texts
from genline.data.preparation.config import PrepareImages, PrepareTexts
from genline.data.preparation.folder import write_folder
from genline.data.prepared import SPLITS, load_images, load_texts
from genline.data.sources import packed, parts, registry
from genline.data.sources.config import SOURCES
from genline.data.sources.own import image_folder, text_ranges

TEXTS = {"item": "line", "encoding": "utf-8", "longest": 1000, "on_bad_item": "stop"}
IMAGES = {"folders": ["label"], "channels": 1, "height": 8, "width": 8, "fit": "exact"}
WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nrst"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def engines(project: Path) -> Iterator[dict[str, Engine]]:
    """Three engines whose processes stand in the project's folder."""
    with chdir(project), ExitStack() as stack:
        two = stack.enter_context(Processes(2, patience=0))
        assert list(two.map(abs, range(3))) == [0, 1, 2]  # they are started now
        cluster = stack.enter_context(Cluster(2))
        yield {"one process": Here(), "two processes": two, "a cluster of two": cluster}


@pytest.fixture
def many_parts(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """Parts, ranges and blocks so small that little data has many.

    Sizes are chosen by the first process, so that the others need not know.
    """
    monkeypatch.chdir(project)
    monkeypatch.setattr(text_ranges, "_RANGE", 3000)
    monkeypatch.setattr(image_folder, "_PICTURES", 16)
    monkeypatch.setattr(packed, "_ROWS", 50)
    monkeypatch.setattr(packed, "_PART", 3000)
    monkeypatch.setattr(parts, "_BLOCK", 1000)


@pytest.fixture
def apart(many_parts: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_texts(path: Path, count: int = 600) -> list[str]:
    random = np.random.default_rng(1)
    lines = [" ".join(random.choice(WORDS, random.integers(6, 15))) for _ in range(count)]
    for copy in range(0, count, 10):  # with another last word
        lines[copy] = f"{lines[(copy * 7 + 5) % count].rsplit(' ', 1)[0]} twin"
    path.write_text("\n".join(lines) + "\n")
    return lines


def write_pictures(folder: Path, count: int = 200) -> None:
    random = np.random.default_rng(2)
    for number in range(count):
        path = folder / ("box" if number % 3 else "disc") / f"{number % 150}-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(random.integers(0, 256, (8, 8)).astype(np.uint8)))


def download(engine: Engine, name: str, path: Path, **settings: Any) -> Path:
    source = {"name": name, "path": str(path), **settings}
    raw = Path("raw")
    registry.fetch(parse_section(SOURCES[name][0], source, "source"), raw, engine)
    return raw


def prepare_texts(engine: Engine, raw: Path, **settings: Any) -> Path:
    block = {"valid": 0.1, "test": 0.2, "near_duplicates": 0.6, "vocabulary": 100}
    block |= {"max_tokens": 20, "unknown": "drop", "near_duplicates_by": "minhash"}
    section = parse_section(PrepareTexts, block | settings, "prepare")
    return written(
        lambda folder: texts.prepare(
            parts.parts(raw), registry.record(raw), section, 1, folder, engine
        )
    )


def prepare_images(engine: Engine, raw: Path, **settings: Any) -> Path:
    section = parse_section(PrepareImages, {"valid": 0.1, "test": 0.2} | settings, "prepare")
    return written(
        lambda folder: images.prepare(
            parts.parts(raw), registry.record(raw), section, 1, folder, engine
        )
    )


def written(write: Callable[[Path], dict[str, Any]]) -> Path:
    folder = Path("prepared")
    write_folder(folder, write)
    return folder


def test_texts_are_the_same_bytes_whoever_prepares_them(
    engines: dict[str, Engine], many_parts: None
) -> None:
    write_texts(Path("texts.txt"))
    found = {}
    for name, engine in engines.items():
        raw = download(engine, "text_file", Path("texts.txt"), **TEXTS)
        prepared = prepare_texts(engine, raw)
        found[name] = (digest_tree([raw]), digest_tree([prepared]))
        assert len(parts.parts(raw)) > 5
    assert len(set(found.values())) == 1, found


def test_images_are_the_same_bytes_whoever_prepares_them(
    engines: dict[str, Engine], many_parts: None
) -> None:
    write_pictures(Path("pictures"))
    settings = {**IMAGES, "background": 0, "on_bad_item": "stop"}
    found = {}
    for name, engine in engines.items():
        raw = download(engine, "image_folder", Path("pictures"), **settings)
        prepared = prepare_images(engine, raw)
        found[name] = (digest_tree([raw]), digest_tree([prepared]))
    assert len(parts.parts(raw)) == 4
    assert len(set(found.values())) == 1, found
    data = load_images(prepared)
    assert sum(len(data.split(name)) for name in SPLITS) == 200


def test_classes_that_a_split_lacks_are_named(apart: Path) -> None:
    random = np.random.default_rng(0)
    for split, classes in {"train": "ab", "valid": "ab", "test": "bc"}.items():
        for label in classes:
            for number in range(3):
                path = Path("pictures", split, label, f"{number}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture(random.integers(0, 256, (8, 8)).astype(np.uint8)))
    settings = IMAGES | {"folders": ["split", "label"], "background": 0, "on_bad_item": "stop"}
    raw = download(Here(), "image_folder", Path("pictures"), **settings)
    meta = read_json(prepare_images(Here(), raw, split="given") / "meta.json")
    assert meta["absent"] == {"train": ["c"], "valid": ["c"], "test": ["a"]}


@pytest.mark.parametrize("tokenizer", ["word", "bpe"])
def test_texts_that_only_begin_alike_are_on_one_side_once_they_are_cut(
    apart: Path, tokenizer: str
) -> None:
    random = np.random.default_rng(5)
    begin = [" ".join(random.choice(WORDS, 8)) for _ in range(40)]
    lines = [f"{text} {' '.join(random.choice(WORDS, 30))}" for text in begin for _ in range(5)]
    Path("texts.txt").write_text("\n".join(lines) + "\n")
    raw = download(Here(), "text_file", Path("texts.txt"), **TEXTS)
    settings = {"too_long": "cut", "max_tokens": 8, "tokenizer": tokenizer, "split": "hash"}
    settings |= {"unknown": "keep", "vocabulary": 300 if tokenizer == "word" else 400}
    data = load_texts(prepare_texts(Here(), raw, **settings))
    sides = []
    for name in SPLITS:
        split = data.split(name)
        sides.append({tuple(split[i].tolist()) for i in range(len(split))})
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    assert data.meta["dropped"]["repeated_across_splits"] > 10
    kept = sum(data.meta["counts"].values())
    assert kept + sum(data.meta["dropped"].values()) == len(lines)
    if tokenizer == "bpe":
        assert data.meta["lengths"]["tokens"]["mean"] == 8


def test_of_near_copies_the_one_of_the_later_time_stays(apart: Path) -> None:
    lines = [" ".join(np.random.default_rng(i).choice(WORDS, 9)) for i in range(40)]
    rows = [{"text": text, "time": number} for number, text in enumerate(lines)]
    rows += [{"text": f"{lines[3]} too", "time": 38}, {"text": f"{lines[4]} too", "time": 2}]
    Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {k: v for k, v in TEXTS.items() if k != "item"}
    settings |= {"format": "jsonl", "text": "text", "time": "time"}
    raw = download(Here(), "table", Path("a.jsonl"), **settings)
    block = {"split": "time", "valid_from": 20, "test_from": 30, "unknown": "keep"}
    data = load_texts(prepare_texts(Here(), raw, **block))
    assert data.meta["dropped"]["near_duplicate"] == 2
    assert data.meta["counts"] == {"train": 19, "valid": 10, "test": 11}


def test_parts_hold_every_text_once_whatever_their_size(apart: Path) -> None:
    lines = write_texts(Path("texts.txt"))
    raw = download(Here(), "text_file", Path("texts.txt"), **TEXTS)
    read = [item for part in parts.parts(raw) for item in parts.texts(part)]
    assert [item.text for item in read] == lines
    assert [item.name for item in read] == [f"texts.txt line {i + 1}" for i in range(len(lines))]


def test_the_size_of_parts_changes_no_array(apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_texts(Path("texts.txt"))
    found = []
    for size in (1000, 10**9):
        monkeypatch.setattr(packed, "_PART", size)
        monkeypatch.setattr(text_ranges, "_RANGE", size)
        raw = download(Here(), "text_file", Path("texts.txt"), **TEXTS)
        found.append(digest_tree([prepare_texts(Here(), raw)]))
    assert found[0] == found[1]


def test_twins_found_by_min_hash_are_those_found_exactly(apart: Path) -> None:
    write_texts(Path("texts.txt"))
    raw = download(Here(), "text_file", Path("texts.txt"), **TEXTS)
    counts = [
        read_json(prepare_texts(Here(), raw, near_duplicates_by=by) / "meta.json")["dropped"]
        for by in ("exact", "minhash")
    ]
    assert counts[0] == counts[1]
    assert counts[0]["near_duplicate"] >= 40


def test_of_twins_that_are_given_to_two_splits_the_later_ones_stays(apart: Path) -> None:
    lines = write_texts(Path("train.txt"))
    Path("test.txt").write_text("\n".join(f"{text} more" for text in lines[100:200]) + "\n")
    files = {"train": "train.txt", "test": "test.txt"}
    raw = download(Here(), "text_file", Path(), **TEXTS, files=files)
    found = [
        load_texts(
            prepare_texts(Here(), raw, split="given", unknown="keep", near_duplicates_by=by)
        ).digest
        for by in ("exact", "minhash")
    ]
    assert found[0] == found[1]
    assert read_json("prepared/meta.json")["counts"]["test"] > 70


class Meddling(Here):
    """Does something to the files after they were listed, before they are read."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        self.meddle = meddle

    def map(self, function: Any, tasks: Any) -> Any:
        waiting = list(tasks)
        self.meddle()
        return map(function, waiting)


def test_a_picture_that_vanishes_while_it_is_read_is_named_and_the_old_ones_stay(
    apart: Path,
) -> None:
    write_pictures(Path("pictures"), 60)
    settings = {**IMAGES, "background": 0}
    raw = download(Here(), "image_folder", Path("pictures"), **settings, on_bad_item="stop")
    before = digest_tree([raw])
    gone = Path("pictures/disc/30-30.png")
    engine = Meddling(lambda: gone.unlink(missing_ok=True))
    with pytest.raises(DataError, match=r"^pictures/disc/30-30\.png: vanished while"):
        download(engine, "image_folder", Path("pictures"), **settings, on_bad_item="stop")
    assert digest_tree([raw]) == before
    write_pictures(Path("pictures"), 60)
    download(engine, "image_folder", Path("pictures"), **settings, on_bad_item="skip")
    assert registry.record(raw)["skipped"]["count"] == 1


@pytest.mark.parametrize(
    ("meddle", "message"),
    [
        (lambda: Path("texts.txt").unlink(), "texts.txt: vanished while it was read"),
        (lambda: Path("texts.txt").write_text("short\n"), "texts.txt: became shorter while"),
    ],
)
def test_a_text_file_that_changes_while_it_is_read_is_named_and_the_old_texts_stay(
    apart: Path, meddle: Callable[[], object], message: str
) -> None:
    write_texts(Path("texts.txt"))
    raw = download(Here(), "text_file", Path("texts.txt"), **TEXTS)
    before = digest_tree([raw])
    with pytest.raises(DataError, match=f"^{message}"):
        download(Meddling(meddle), "text_file", Path("texts.txt"), **TEXTS)
    assert digest_tree([raw]) == before
    assert [path.name for path in apart.iterdir() if path.name.startswith(".")] == []
