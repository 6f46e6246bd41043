"""docs/your-data.md: its two examples run as they stand, and its tables leave nothing out."""

from __future__ import annotations

import re
import shutil
import typing
from pathlib import Path

import pytest

from genline.cli import main
from genline.core.files import read_json
from genline.data.preparation.config import Prepare, PrepareTexts
from genline.data.sources.config import SOURCES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/your-data.md").read_text(encoding="utf-8")


def blocks(heading: str) -> list[tuple[str, str]]:
    """Language and content of the code blocks below a heading."""
    (part,) = re.findall(rf"(?ms)^## {heading}\n(.*?)(?=^## |\Z)", PAGE)
    return re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", part)


@pytest.mark.parametrize(
    ("heading", "name", "counted"),
    [("Images, worked through", "shapes", 200), ("Texts, worked through", "notes", 400)],
)
def test_the_worked_example_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    heading: str,
    name: str,
    counted: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    shutil.copytree(ROOT / "data/expectations", "data/expectations")
    for language, content in blocks(heading):
        if language == "python":
            exec(compile(content, "docs/your-data.md", "exec"), {})
            continue
        for line in content.splitlines():
            program, *words = line.split()
            if program == "genline":
                assert main(words) == 0
                continue
            # What dvc repro runs up to there.
            assert words == ["repro", f"prepare@{name}"]
            for stage in ("download", "validate", "prepare"):
                assert main([stage, name]) == 0
    meta = read_json(f"data/prepared/{name}/meta.json")
    assert sum(meta["counts"].values()) + sum(meta["dropped"].values()) == counted
    assert Path(f"reports/validation/{name}/index.html").exists()
    said = capsys.readouterr()
    assert "warning" not in said.err and "<unk>" not in said.out  # an example is good data


def test_every_source_and_every_way_of_splitting_is_listed() -> None:
    own = [name for name, (_, module) in SOURCES.items() if module.startswith("own.")]
    ways = typing.get_args(Prepare.model_fields["split"].annotation)
    for name in [*own, *ways]:
        assert f"| `{name}` |" in PAGE
    for name in own:
        (row,) = re.findall(rf"(?m)^\| `{name}` \|.*$", PAGE)
        keys = set(SOURCES[name][0].model_fields) - {"name", "path"}
        assert all(f"`{key}`" in row for key in keys), name


def test_every_parameter_of_the_preparation_of_texts_is_explained() -> None:
    (part,) = re.findall(r"(?ms)^## Texts, worked through\n(.*?)(?=^## |\Z)", PAGE)
    own = set(PrepareTexts.model_fields) - set(Prepare.model_fields)
    assert {name for name in own if f"`{name}`" in part or f"`prepare.{name}`" in part} == own
    for name in ("tokenizer", "unicode", "control", "white_space", "html", "invisible", "unknown"):
        values = typing.get_args(PrepareTexts.model_fields[name].annotation)
        assert all(f"`{value}`" in part for value in values), name
