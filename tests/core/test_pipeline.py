"""What a stage depends on, as dvc.yaml says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from genline.core.errors import ParamsError
from genline.core.pipeline import code_digest, dependencies

ITEM = {"dataset": "d", "validate": {"suite": "s.yaml"}, "family": "vae"}
DEPS = ["data/${item.dataset}", "src/core", "src/${item.family}.py", "${item.validate.suite}"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, DEPS)
    (tmp_path / "src" / "core").mkdir(parents=True)
    (tmp_path / "src" / "core" / "a.py").write_text("a = 1\n")
    (tmp_path / "src" / "vae.py").write_text("b = 1\n")
    return tmp_path


def write(project: Path, deps: list[str]) -> None:
    stage: dict[str, Any] = {"foreach": "${experiments}", "do": {"cmd": "x", "deps": deps}}
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": stage}}))


def test_dependencies_are_resolved_for_one_entry(project: Path) -> None:
    write(project, [*DEPS, "models/${key}"])
    found = dependencies("train", "e", ITEM)
    assert found == ["data/d", "src/core", "src/vae.py", "s.yaml", "models/e"]


def test_the_digest_is_of_the_code_alone(project: Path) -> None:
    before = code_digest("train", "e", ITEM)
    (project / "data").mkdir()
    (project / "data" / "d").write_text("not code")
    (project / "src" / "other.py").write_text("no dependency")
    assert code_digest("train", "f", ITEM) == before
    (project / "src" / "core" / "a.py").write_text("a = 2\n")
    assert code_digest("train", "e", ITEM) != before


def test_a_dependency_more_is_another_digest(project: Path) -> None:
    before = code_digest("train", "e", ITEM)
    (project / "src" / "new.py").write_text("c = 1\n")
    write(project, [*DEPS, "src/new.py"])
    assert code_digest("train", "e", ITEM) != before


def test_code_that_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(ParamsError, match=r"stage 'train' depends on src/gan\.py, which is not"):
        code_digest("train", "e", ITEM | {"family": "gan"})


def test_without_a_pipeline_the_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match=r"^dvc\.yaml: no such file; run in .* top folder$"):
        code_digest("train", "e", ITEM)


def test_an_unknown_stage_or_value_is_named(project: Path) -> None:
    with pytest.raises(ParamsError, match=r"dvc\.yaml: no stage 'trian'; did you mean 'train'"):
        dependencies("trian", "e", ITEM)
    with pytest.raises(ParamsError, match=r"stage 'train': \$\{item\.family\} has no value"):
        dependencies("train", "e", {"dataset": "d", "validate": {"suite": "s"}})


def test_an_empty_pipeline_has_no_stage(project: Path) -> None:
    (project / "dvc.yaml").write_text("")
    with pytest.raises(ParamsError, match="no stage 'train'"):
        dependencies("train", "e", ITEM)
