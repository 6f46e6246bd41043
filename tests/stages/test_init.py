"""``genline init``: what it finds, what it writes, and that what it writes runs."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from genline import parameters
from genline.core.errors import DataError, ParamsError
from genline.core.params import lookup
from genline.data.prepared import load_images, load_texts
from genline.data.sources.items import TextItem
from genline.data.starting.look import look
from genline.data.starting.settings import prepare_texts
from genline.data.starting.suite import suite
from genline.data.validation.tables import IMAGE_COLUMNS
from genline.stages import download, init, prepare, validate

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's own params.yaml."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    shutil.copytree(ROOT / "data/expectations", "data/expectations")
    return tmp_path


def draw(folder: str, size: tuple[int, int] = (12, 12), channels: int = 1, count: int = 40) -> None:
    """``count`` pictures in each of two classes below ``folder``."""
    random = np.random.default_rng(0)
    for label in ("left", "right"):
        Path(folder, label).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 256, (*size, channels), np.uint8)
            Image.fromarray(pixels.squeeze()).save(Path(folder, label, f"{i}.png"))


def sentences(count: int = 200) -> list[str]:
    things, places = ["cat", "dog", "bird", "fish"], ["mat", "roof", "tree", "wall", "sea"]
    return [
        f"A {things[i % 4]} with {i} friends sat on the {places[i % 5]} and the {places[i % 3]}."
        for i in range(count)
    ]


def source(path: str) -> dict[str, Any]:
    return look(path).source


def added(name: str) -> Any:
    params = yaml.safe_load(Path("params.yaml").read_text())
    return lookup(params, f"datasets.{name}")


def through(name: str) -> None:
    """The three stages of data on what init wrote."""
    parameters.check()
    download.run(name)
    validate.run(name)
    prepare.run(name)


def test_a_folder_of_pictures_goes_from_init_to_prepared(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("pictures")
    before = Path("params.yaml").read_text()
    init.run("pictures", None)
    assert "pictures: 80 images, 2 classes, read as image_folder" in capsys.readouterr().out
    through("pictures")
    data = load_images("data/prepared/pictures")
    assert data.spec.shape == (1, 12, 12)
    assert sum(data.meta["counts"].values()) == 80
    after = Path("params.yaml").read_text()
    assert all(line in after.splitlines() for line in before.splitlines())
    assert "      fit: exact " in after
    experiments = yaml.safe_load(after)["experiments"]
    assert experiments["pictures-vae"]["dataset"] == "pictures"
    assert experiments["pictures-gan"]["family"] == "image_gan"


def test_a_csv_goes_from_init_to_prepared(project: Path) -> None:
    with Path("notes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["id", "note", "label"]])
        writer.writerows([i, text, "ab"[i % 2]] for i, text in enumerate(sentences()))
    init.run("notes.csv", "my-notes")
    found = added("my-notes")["source"]
    assert (found["text"], found["label"], found["format"]) == ("note", "label", "csv")
    through("my-notes")
    assert sum(load_texts("data/prepared/my-notes").meta["counts"].values()) > 20


def test_two_data_sets_can_follow_one_another(project: Path) -> None:
    draw("one")
    Path("two.txt").write_text("\n".join(sentences()))
    init.run("one", None)
    init.run(str(project / "two.txt"), None)
    parameters.check()
    assert added("two")["source"]["path"] == "two.txt"
    with pytest.raises(ParamsError, match="there is a dataset 'one' already; choose --name"):
        init.run("one", None)


@pytest.mark.parametrize(
    ("size", "channels", "wanted"),
    [((12, 12), 3, ("exact", 3, 12)), ((200, 120), 3, ("crop", 3, 32))],
)
def test_pictures_are_fitted_as_their_sizes_need(
    project: Path, size: tuple[int, int], channels: int, wanted: tuple[str, int, int]
) -> None:
    draw("p", size, channels, count=3)
    found = source("p")
    assert (found["fit"], found["channels"], found["height"]) == wanted


def test_splits_are_known_by_the_names_of_folders(project: Path) -> None:
    for split in ("train", "val", "test"):
        draw(f"p/{split}", count=2)
    assert source("p")["folders"] == ["split", "label"]


def test_arrays_are_told_by_their_shapes(project: Path) -> None:
    images, labels = np.zeros((6, 8, 8, 3), np.uint8), np.arange(6)
    np.savez("a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    found = source("a.npz")
    assert (found["axes"], found["values"]) == ("nhwc", "levels")
    assert {"images": "x_test", "labels": "y_test", "split": "test"} in found["parts"]
    Path("f").mkdir()
    np.save("f/images.npy", np.zeros((6, 8, 8)))
    np.save("f/labels.npy", labels)
    assert source("f")["parts"] == [{"images": "images.npy", "labels": "labels.npy"}]
    assert source("f")["values"] == "unit"


def test_idx_files_are_paired(project: Path) -> None:
    Path("m").mkdir()
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        Path("m", name).write_bytes(b"")
        Path("m", name.replace("train", "t10k")).write_bytes(b"")
    assert {(p["images"][:5], p["labels"][:5], p["split"]) for p in source("m")["parts"]} == {
        ("train", "train", "train"),
        ("t10k-", "t10k-", "test"),
    }


@pytest.mark.parametrize(
    ("content", "item", "encoding"),
    [
        (b"one\ntwo\nthree\n", "line", "utf-8"),
        (b"one\nmore\n\ntwo\nmore\n\n", "paragraph", "utf-8"),
        ("eins\nzwölf\nviele Wörter\n".encode("latin-1"), "line", "latin-1"),
        ("one\ntwo\n".encode("utf-16"), "line", "utf-16"),
    ],
)
def test_a_text_file_is_told_by_its_lines(
    project: Path, content: bytes, item: str, encoding: str
) -> None:
    Path("a.txt.gz").write_bytes(gzip.compress(content))
    found = source("a.txt.gz")
    assert (found["name"], found["item"], found["encoding"]) == ("text_file", item, encoding)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"\n\n", "empty.txt: holds no text"),
        ("zeros.txt", bytes(100), "holds NUL bytes"),
        ("a.csv", b"number\n1\n", None),
        ("one.png", b"\x89PNG", "is one picture; give the folder"),
        ("a.npz", b"PK", "a.npz: not a whole .npz"),
        ("a.npy", b"\x93NUMPY", "a.npy: no array of numbers, or damaged"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl: holds no rows"),
        ("t10k-images-idx3-ubyte", b"\0\0\x08\x03", "is one IDX file; give the folder"),
        ("folder/a.txt", bytes(100), "a.txt: holds NUL bytes"),
        ("a.parquet", b"PAR1", "not a Parquet file"),
        ("folder/a.xyz", b"", "holds no pictures"),
    ],
)
def test_what_is_no_data_is_said_in_one_line(
    project: Path, name: str, content: bytes, message: str | None
) -> None:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    if message is None:
        assert source(name)["text"] == "number"
        return
    with pytest.raises(DataError, match=message) as error:
        look(name.split("/")[0])
    assert "\n" not in str(error.value)


def test_pictures_without_labels_are_grouped(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("p")
    for path in list(Path("p/left").iterdir()):
        path.rename(Path("p/right", f"left-{path.name}"))
    Path("p/left").rmdir()
    init.run("p", None)
    assert "80 images without labels" in capsys.readouterr().out
    assert added("p")["source"]["folders"] == []
    through("p")
    data = load_images("data/prepared/p")
    assert (data.spec.classes, data.meta["labels"]) == (10, "clusters")
    assert set(np.unique(data.split("train").labels)) == set(range(10))


def test_a_name_neither_on_disk_nor_in_the_catalogue_is_offered_the_nearest(
    project: Path,
) -> None:
    Path("data/catalogue").mkdir(parents=True)
    shutil.copy(ROOT / "data/catalogue/mnist.yaml", "data/catalogue")
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        init.run("mnit", None)
    found = look("mnist")
    assert found.kind == "image"
    assert found.source == {"name": "mnist", "path": "data/catalogue/mnist.yaml"}


def test_what_ships_with_the_project_is_known_by_name_too(project: Path) -> None:
    with pytest.raises(DataError, match=r"known: digits, docstrings$"):
        init.run("wrong", None)
    with pytest.raises(DataError, match="digits: ships with the project"):
        init.run("digits", None)


def test_what_becomes_of_pictures_of_mixed_sizes_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("p", (20, 22))
    draw("q", (24, 20))
    for path in Path("q/left").iterdir():
        path.rename(Path("p/left", f"q-{path.name}"))
    init.run("p", None)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("p: 120 images, 2 classes, read as image_folder; sizes 20×20 to 24×22,")
    assert "scaled and cropped to 24×24" in first or "scaled and cropped to 16×16" in first
    draw("even")
    init.run("even", None)
    assert capsys.readouterr().out.splitlines()[0].endswith("read as image_folder")


def test_the_comments_say_how_much_the_vocabulary_and_the_length_hold() -> None:
    rare = [" ".join(f"{first}{last}" for last in "klmnopqrst") for first in "abcdefghij"]
    texts = ["the cat sat on the mat"] * 50 + rare
    lines = prepare_texts([TextItem("", text, "") for text in texts], {""}).splitlines()
    (vocabulary,) = [line for line in lines if "vocabulary:" in line]
    (most,) = [line for line in lines if "max_tokens:" in line]
    # Of 400 tokens 300 are of the five words that repeat, and 55 of the 100 others find room.
    assert vocabulary.endswith("8 to 65536; 88 % of those of the texts are among them")
    assert "vocabulary: 64 " in vocabulary
    assert most.endswith("100 % are within")


def test_what_cannot_be_read_stops_or_is_left_out_and_counted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("shapes")
    Path("shapes/left/9.png").write_bytes(b"words")
    before = Path("params.yaml").read_text()
    with pytest.raises(DataError, match=r"^left/9.png: not a PNG"):
        init.run("shapes", None)
    assert Path("params.yaml").read_text() == before
    init.run("shapes", None, skip=True)
    assert "79 images (1 skipped: left/9.png: not a PNG" in capsys.readouterr().out
    section = lookup(yaml.safe_load(Path("params.yaml").read_text()), "datasets.shapes.source")
    assert section["on_bad_item"] == "skip"


def test_too_few_items_are_refused_in_one_line(project: Path) -> None:
    Path("few.txt").write_text("one\ntwo\n")
    with pytest.raises(
        DataError, match=r"^few.txt: holds 2 texts, too few for a model: 100 or more"
    ):
        init.run("few.txt", None)


def test_nothing_is_written_where_the_name_will_not_do(project: Path) -> None:
    draw("p", count=5)
    before = Path("params.yaml").read_text()
    with pytest.raises(ParamsError, match="evaluators"):
        init.run("p", "evaluators")
    assert Path("params.yaml").read_text() == before
    assert not Path("data/expectations/evaluators.yaml").exists()


CHINESE = ["今天天气很好，我们去公园。", "老师在学校看书！", "他们晚上喝茶吗？"]
CUT = ["the cat , they said , sat on the mat .", "a dog ran over the road ?", "it is <unk> ."]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (sentences(40), "word"),
        (CHINESE * 20, "character"),
        (CHINESE + sentences(3), "bpe"),
        (CUT * 20, "whitespace"),
    ],
)
def test_the_tokenizer_suits_the_texts(texts: list[str], kind: str) -> None:
    items = [TextItem(f"line {i}", text, "") for i, text in enumerate(texts)]
    found = yaml.safe_load(prepare_texts(items, {""}))["prepare"]
    assert found["tokenizer"] == kind
    assert "html" not in found


def test_texts_with_html_or_too_long_ones_say_what_becomes_of_them(project: Path) -> None:
    Path("t.txt").write_text("\n".join(f"{s}<br />{s * 20}" for s in sentences(120)))
    init.run("t.txt", None)
    found = added("t")["prepare"]
    assert (found["html"], found["too_long"], found["max_tokens"]) == ("strip", "cut", 128)
    through("t")
    assert load_texts("data/prepared/t").split("train").lengths.max() == 128


def test_the_suite_names_even_classes_what_splits_share_and_drift(project: Path) -> None:
    rows = [
        {"text": t, "label": "abc"[i % 3], "split": "test" if i > 150 else "train"}
        for i, t in enumerate(sentences())
    ]
    rows.append({"text": sentences()[0], "label": "a", "split": "test"})
    with Path("notes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["text", "label", "split"])
        table.writeheader()
        table.writerows(rows)
    init.run("notes.csv", None)
    written = yaml.safe_load(Path("data/expectations/notes.yaml").read_text())
    found = {e.get("column", e["type"]): e for e in written["expectations"]}
    assert found["label"]["partition_object"]["values"] == ["a", "b", "c"]
    assert [found[c]["severity"] for c in ("equal_across", "leaked", "digest")] == ["warn"] * 3
    assert found["script"]["value_set"] == ["Latin"]
    assert [e["column"] for e in written["drift"]] == ["psi_beyond_chance", "kl"]
    download.run("notes")
    validate.run("notes")


def test_classes_are_listed_only_while_they_are_few() -> None:
    table = pd.DataFrame({name: [0] * 150 for name in IMAGE_COLUMNS}).assign(label=range(150))
    found = yaml.safe_load(suite(table, "image", "items.parquet"))["expectations"]
    (labels,) = [e for e in found if e.get("column") == "label"]
    assert (labels["min_value"], labels["max_value"]) == (0, 149)
