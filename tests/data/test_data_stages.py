"""The three stages on small data: bad data stops the line, good data comes out packed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from genline.core.errors import DataError, ParamsError
from genline.core.files import digest_file, read_json
from genline.data.prepared import SPLITS, UNK, load_images, load_texts
from genline.data.tokenizer import TextTokenizer
from genline.stages import download, prepare, validate

NOUNS = ["array", "matrix", "file", "string", "number", "index", "column", "table", "method"]
VERBS = ["holds", "returns", "needs", "changes", "sorts", "counts", "reads", "writes", "finds"]
PLACES = ["line", "folder", "row", "module", "package", "loop"]
TEXTS = [
    f"The {subject} {verb} every {thing} of the {PLACES[i % 6]}."
    for subject in NOUNS
    for verb in VERBS
    for i, thing in enumerate(NOUNS)
]


def image_rows(count: int = 200) -> list[list[int]]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 17, (count, 64))
    pixels[:, 0], pixels[:, 1] = 0, 16
    return [[*row, index % 10] for index, row in enumerate(pixels.tolist())]


def write_images(rows: list[list[Any]]) -> None:
    text = "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    Path("data/raw/pictures/digits.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def write_texts(texts: list[str]) -> None:
    lines = [json.dumps({"text": text, "package": "numpy"}) for text in texts]
    Path("data/raw/prose/docstrings.jsonl").write_text("\n".join(lines) + "\n")


def expect(path: str, *entries: dict[str, Any]) -> None:
    Path(path).write_text(yaml.safe_dump({"expectations": list(entries)}, sort_keys=False))


def contents(folder: str) -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(Path(folder).iterdir())}


BETWEEN = "expect_column_values_to_be_between"
GREY = {"type": BETWEEN, "column": "max", "min_value": 0, "max_value": 16, "severity": "fail"}
WORDS = {"type": BETWEEN, "column": "words", "min_value": 1, "severity": "fail"}
PARAMS: dict[str, Any] = {
    "seed": 1,
    "datasets": {
        "pictures": {
            "kind": "image",
            "source": {"name": "digits", "path": "requirements.lock"},
            "validate": {"suite": "pictures.yaml"},
            "prepare": {"valid": 0.1, "test": 0.2},
        },
        "prose": {
            "kind": "text",
            "source": {
                "name": "docstrings",
                "path": "requirements.lock",
                "packages": ["stdlib"],
                "min_words": 5,
                "max_words": 30,
            },
            "validate": {"suite": "prose.yaml"},
            "prepare": {
                "valid": 0.1,
                "test": 0.2,
                "near_duplicates": 0.9,
                "vocabulary": 24,
                "max_tokens": 12,
                "unknown": "drop",
            },
        },
    },
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the stages see it, with 200 images and some 500 texts downloaded."""
    monkeypatch.chdir(tmp_path)
    write_params(PARAMS)
    download.run("pictures")
    write_images(image_rows())
    expect("pictures.yaml", GREY)
    prose = Path("data/raw/prose")
    prose.mkdir()
    record = {"name": "docstrings", "kind": "text", "versions": {"python": "3.11"}}
    (prose / "source.json").write_text(json.dumps(record))
    write_texts(TEXTS)
    expect("prose.yaml", WORDS)
    return tmp_path


def write_params(params: dict[str, Any]) -> None:
    Path("params.yaml").write_text(yaml.safe_dump(params))


def with_params(dataset: str, block: str, **changes: Any) -> None:
    params = json.loads(json.dumps(PARAMS))
    params["datasets"][dataset][block].update(changes)
    write_params(params)


def test_the_stages_give_the_same_bytes_twice(project: Path) -> None:
    folders = [f"data/{kind}/{d}" for kind in ("validated", "prepared") for d in PARAMS["datasets"]]
    folders += [f"reports/validation/{d}" for d in PARAMS["datasets"]] + ["reports/versions"]
    found = []
    for _ in range(2):
        for dataset in PARAMS["datasets"]:
            validate.run(dataset)
            prepare.run(dataset)
        found.append([contents(folder) for folder in folders])
    assert found[0] == found[1]
    outputs = [p for folder in folders for p in Path(folder).iterdir()]
    assert not any(str(project).encode() in path.read_bytes() for path in outputs)


def test_prepared_images_are_those_of_the_file_each_in_one_split(project: Path) -> None:
    validate.run("pictures")
    prepare.run("pictures")
    data = load_images("data/prepared/pictures")
    rows = []
    for name in SPLITS:
        split = data.split(name)
        assert split.labels is not None
        assert np.bincount(split.labels).tolist() == [len(split) // 10] * 10
        rows += [[*i.ravel(), n] for i, n in zip(split.images, split.labels, strict=True)]
    assert sorted(map(tuple, rows)) == sorted(map(tuple, image_rows()))
    assert data.meta["counts"] == {"train": 140, "valid": 20, "test": 40}
    assert (data.spec.shape, data.spec.levels, data.spec.classes) == ((1, 8, 8), 17, 10)


def test_equal_images_stay_in_one_split(project: Path) -> None:
    write_images(image_rows(100) * 3)
    validate.run("pictures")
    prepare.run("pictures")
    data = load_images("data/prepared/pictures")
    homes = [{i.tobytes() for i in data.split(name).images} for name in SPLITS]
    assert not homes[0] & homes[1] | homes[0] & homes[2] | homes[1] & homes[2]
    assert data.meta["repeated"] == 200


def test_prepared_texts_come_from_the_file_each_in_one_split(project: Path) -> None:
    validate.run("prose")
    prepare.run("prose")
    data = load_texts("data/prepared/prose")
    tokenizer = TextTokenizer.load(data.tokenizer_file)
    splits = {name: data.split(name) for name in SPLITS}
    texts = [tokenizer.decode(split[i]) for split in splits.values() for i in range(len(split))]
    assert len(set(texts)) == len(texts)
    assert set(texts) <= set(TEXTS)
    assert not any(UNK in split.tokens for split in splits.values())
    assert max(split.lengths.max() for split in splits.values()) <= 12
    dropped = data.meta["dropped"]
    assert sum(dropped.values()) + sum(data.meta["counts"].values()) == len(TEXTS)
    assert dropped["unknown_word"] > 0


def test_the_vocabulary_is_learned_from_the_train_split_alone(project: Path) -> None:
    odd = [f"The {chr(97 + i) * 9} holds every file of the row." for i in range(26)]
    write_texts([*TEXTS, *odd])
    with_params("prose", "prepare", unknown="keep", vocabulary=500)
    validate.run("prose")
    prepare.run("prose")
    data = load_texts("data/prepared/prose")
    unknown = {name: UNK in data.split(name).tokens for name in SPLITS}
    assert unknown == {"train": False, "valid": True, "test": True}
    assert data.meta["dropped"]["unknown_word"] == 0


def test_a_large_share_of_unknown_tokens_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_params("prose", "prepare", unknown="keep", vocabulary=12)
    validate.run("prose")
    prepare.run("prose")
    (line,) = [row for row in capsys.readouterr().out.splitlines() if "<unk>" in row]
    share = load_texts("data/prepared/prose").meta["unknown_tokens"]["train"]
    assert f"{share:.1%} of train" in line
    with_params("prose", "prepare", unknown="drop", vocabulary=500)
    prepare.run("prose")
    assert "<unk>" not in capsys.readouterr().out


def test_what_cleaning_removes_is_counted(project: Path) -> None:
    long = " ".join(["word"] * 13) + "."
    write_texts([*TEXTS, "", " \t ", long, TEXTS[0].upper(), f"  {TEXTS[1]}\n"])
    expect("prose.yaml", {**WORDS, "min_value": 0})
    validate.run("prose")
    prepare.run("prose")
    dropped = read_json("data/prepared/prose/meta.json")["dropped"]
    assert (dropped["empty"], dropped["too_long"], dropped["near_duplicate"]) == (2, 1, 2)


def test_a_grey_level_out_of_range_stops_the_line(project: Path) -> None:
    rows = image_rows()
    rows[2][5] = 40
    write_images(rows)
    with pytest.raises(DataError) as error:
        validate.run("pictures")
    assert str(error.value) == (
        "data/raw/pictures: expect_column_values_to_be_between on column 'max' failed (wanted "
        "min_value 0, max_value 16), 1 of 200 items: digits.csv.gz row 3: 40; "
        "see reports/validation/pictures/index.html"
    )
    result = read_json("data/validated/pictures/result.json")
    assert not result["success"]
    assert result["expectations"][0]["offending"] == [{"item": "digits.csv.gz row 3", "value": 40}]
    assert "digits.csv.gz row 3" in Path("reports/validation/pictures/index.html").read_text()
    with pytest.raises(DataError, match="validation of 'pictures' failed"):
        prepare.run("pictures")
    assert not Path("data/prepared/pictures").exists()


def test_an_empty_text_stops_the_line(project: Path) -> None:
    write_texts([*TEXTS[:3], "", *TEXTS[3:]])
    with pytest.raises(DataError, match=r"column 'words' failed.*docstrings\.jsonl line 4: 0"):
        validate.run("prose")


def test_a_warning_is_printed_and_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expect("pictures.yaml", GREY, {**GREY, "max_value": 15, "severity": "warn"})
    validate.run("pictures")
    assert "warning: data/raw/pictures: expect_column_values" in capsys.readouterr().err
    result = read_json("data/validated/pictures/result.json")
    assert result["success"]
    assert [e["success"] for e in result["expectations"]] == [True, False]


def test_new_data_is_compared_with_the_last_that_passed(project: Path) -> None:
    validate.run("prose")
    first = read_json("reports/versions/prose.json")["last"]
    assert read_json("data/validated/prose/drift.json")["before"] is None
    longer = [f"{text[:-1]} and then every other one of them." for text in TEXTS]
    write_texts([*longer, ""])  # refused: what comes after is not compared with it
    with pytest.raises(DataError, match="column 'words' failed"):
        validate.run("prose")
    assert read_json("reports/versions/prose.json") == {"last": first, "before": None}
    beyond = {"type": BETWEEN, "column": "psi_beyond_chance", "max_value": 0.25}
    for severity in ("fail", "warn"):
        suite = {"expectations": [WORDS], "drift": [{**beyond, "severity": severity}]}
        Path("prose.yaml").write_text(yaml.safe_dump(suite))
        write_texts(longer)
        if severity == "fail":
            with pytest.raises(DataError, match=r"'psi_beyond_chance' failed.* of \d+ columns: "):
                validate.run("prose")
        else:
            validate.run("prose")
        drift = read_json("data/validated/prose/drift.json")
        assert drift["before"] == {"digest": first["digest"], "items": len(TEXTS)}
        moved = {c["name"] for c in drift["columns"] if c["psi_beyond_chance"] > 0.25}
        assert {"words", "characters"} <= moved
        assert "script" not in moved
    assert read_json("reports/versions/prose.json")["before"] == first
    page = Path("reports/validation/prose/index.html").read_text()
    assert "What changed since the version before" in page
    assert "729 texts then, 729 now" in page


def test_a_file_that_cannot_be_read_leaves_the_old_result(project: Path) -> None:
    validate.run("pictures")
    before = contents("data/validated/pictures")
    raw = Path("data/raw/pictures/digits.csv.gz")
    raw.write_bytes(raw.read_bytes()[:100])
    with pytest.raises(DataError, match="not a whole gzip file"):
        validate.run("pictures")
    assert contents("data/validated/pictures") == before


def test_preparing_before_validating_is_refused(project: Path) -> None:
    with pytest.raises(DataError, match=r"result\.json: no such file"):
        prepare.run("pictures")


def test_a_failed_preparation_leaves_the_old_data(project: Path) -> None:
    validate.run("prose")
    prepare.run("prose")
    before = contents("data/prepared/prose")
    with_params("prose", "prepare", vocabulary=8)
    with pytest.raises(DataError, match="raise vocabulary, or set unknown to keep"):
        prepare.run("prose")
    assert contents("data/prepared/prose") == before
    assert [path.name for path in Path("data/prepared").iterdir()] == ["prose"]


def test_a_kind_that_is_not_the_sources_is_named(project: Path) -> None:
    params = json.loads(json.dumps(PARAMS))
    params["datasets"]["pictures"]["kind"] = "text"
    write_params(params)
    with pytest.raises(DataError, match="its source 'digits' gives images; set kind to image"):
        validate.run("pictures")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "docstring"}, "source.name is 'docstring'; did you mean 'docstrings'?"),
        ({"packages": ["nump"]}, "source.packages.0 is 'nump'; did you mean 'numpy'?"),
        ({"packages": ["numpy", "numpy"]}, "packages names 'numpy' twice; keep one"),
        ({"min_words": 31}, "min_words is 31, above max_words 30; lower it"),
        ({"max_word": 3}, "unknown key 'datasets.prose.source.max_word'; did you mean 'max_words'"),
    ],
)
def test_a_wrong_source_is_named(project: Path, changes: dict[str, Any], message: str) -> None:
    with_params("prose", "source", **changes)
    with pytest.raises(ParamsError) as error:
        download.run("prose")
    assert message in str(error.value)


def test_a_share_out_of_range_is_named(project: Path) -> None:
    validate.run("pictures")
    with_params("pictures", "prepare", test=0.5)
    with pytest.raises(ParamsError, match=r"test is 0\.5; wanted: a number in \(0, 0\.5\)"):
        prepare.run("pictures")


def test_texts_that_nearly_repeat_each_other_are_counted_when_none_are_left(
    project: Path,
) -> None:
    write_texts([f"Sentence number {i} stands here alone and well." for i in range(300)])
    with_params("prose", "prepare", near_duplicates=0.2)
    validate.run("prose")
    with pytest.raises(DataError) as error:
        prepare.run("prose")
    assert "of 300 texts 1 were kept (0 empty, 0 too long, 299 near duplicate)" in str(error.value)
    assert "raise near_duplicates 0.2" in str(error.value)
    with_params("prose", "prepare", max_tokens=2)
    with pytest.raises(DataError, match=r"no text is left.*300 too long.*raise max_tokens 2"):
        prepare.run("prose")


def test_a_word_of_millions_of_characters_fails_the_suite_that_ships(
    project: Path, request: pytest.FixtureRequest
) -> None:
    suite = request.config.rootpath / "data/expectations/docstrings.yaml"
    with_params("prose", "validate", suite=str(suite))
    write_texts([*TEXTS, "a" * 3_000_000])
    with pytest.raises(DataError):
        validate.run("prose")
    outcomes = read_json("data/validated/prose/result.json")["expectations"]
    (long,) = [
        o
        for o in outcomes
        if o["severity"] == "fail" and o["column"] == "characters" and not o["success"]
    ]
    assert long["offending"] == [
        {"item": f"docstrings.jsonl line {len(TEXTS) + 1}", "value": 3_000_000}
    ]


@pytest.mark.parametrize("content", ["[]", "{}", '{"success": "yes"}'])
def test_a_result_that_does_not_say_so_is_no_success(project: Path, content: str) -> None:
    validate.run("pictures")
    Path("data/validated/pictures/result.json").write_text(content)
    with pytest.raises(DataError, match="validation of 'pictures' failed"):
        prepare.run("pictures")


def test_sentences_of_one_text_stay_in_one_split_and_are_counted(project: Path) -> None:
    pairs = [f"{first} {second}" for first, second in zip(TEXTS[:300], TEXTS[300:600], strict=True)]
    write_texts(pairs)
    with_params("prose", "prepare", sentences="en", unknown="keep", vocabulary=500)
    validate.run("prose")
    prepare.run("prose")
    data = load_texts("data/prepared/prose")
    assert data.meta["texts"] == 600
    assert sum(data.meta["counts"].values()) + sum(data.meta["dropped"].values()) == 600
    tokenizer = TextTokenizer.load(data.tokenizer_file)
    homes = {
        tokenizer.decode(split[i]): name
        for name, split in ((name, data.split(name)) for name in SPLITS)
        for i in range(len(split))
    }
    both = [
        pair for pair in zip(TEXTS[:300], TEXTS[300:600], strict=True) if set(pair) <= set(homes)
    ]
    assert len(both) > 100
    assert all(homes[first] == homes[second] for first, second in both)
