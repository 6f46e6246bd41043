"""The train stage: what it writes, twice the same, and across a kill."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from image_folder import write_digits
from test_image_recipes import GAN, GAN_TRAIN

from genline.core.errors import GenlineError, ParamsError
from genline.core.files import digest_file
from genline.models.store import load_model
from genline.stages import train as stage
from genline.training.engine import loop
from genline.training.recipes.image_gan import ImageGANRecipe

ROOT = Path(__file__).parents[2]


class Tracked:
    """Stands in for MLflow's run and remembers what it was told."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.digest = ""
        self.steps = -1

    def row(self, row: dict[str, float]) -> None:
        self.rows.append(row)

    def trained(self, model_digest: str, seconds: float, steps: int) -> None:
        assert seconds > 0
        self.digest, self.steps = model_digest, steps


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> list[Tracked]:
    runs: list[Tracked] = []

    @contextmanager
    def training_run(*arguments: Any) -> Iterator[Tracked]:
        runs.append(Tracked())
        yield runs[-1]

    monkeypatch.setattr(stage, "training_run", training_run)
    return runs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    write_digits(tmp_path / "data" / "prepared" / "digits")
    write_params(tmp_path)
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "src").symlink_to(ROOT / "src")  # what the stage depends on
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def write_params(project: Path, **train: object) -> None:
    experiment = {
        "dataset": "digits",
        "family": "image_gan",
        "model": GAN.model_dump(),
        "train": GAN_TRAIN.model_dump() | {"steps": 40} | train,
    }
    runtime = {"device": "cpu", "threads": 1, "precision": "32-true"}
    params = {"seed": 1, "runtime": runtime, "experiments": {"e": experiment}}
    (project / "params.yaml").write_text(yaml.safe_dump(params))


def written(project: Path) -> dict[str, str]:
    files = [*(project / "models" / "e").iterdir(), project / "reports" / "training" / "e.csv"]
    return {file.name: digest_file(file) for file in files}


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    whole = ImageGANRecipe.step

    def step_or_die(self: ImageGANRecipe, now: int) -> dict[str, torch.Tensor]:
        if now == step:
            raise KeyboardInterrupt
        return whole(self, now)

    monkeypatch.setattr(ImageGANRecipe, "step", step_or_die)


def test_it_writes_a_loadable_model_and_its_curve(project: Path, tracked: list[Tracked]) -> None:
    stage.run("e")
    stored = load_model(project / "models" / "e")
    assert stored.family == "image_gan"
    assert stored.model.sample(3, torch.Generator().manual_seed(0)).shape == (3, 1, 8, 8)
    lines = (project / "reports" / "training" / "e.csv").read_text().splitlines()
    assert lines[0].startswith("step,loss,") and len(lines) == 41
    assert tracked[0].digest == stored.digest
    assert tracked[0].steps == len(tracked[0].rows) == 40
    assert not (project / ".genline" / "checkpoints" / "e").exists()


def test_a_killed_training_ends_in_the_same_files_as_a_whole_one(
    project: Path, tracked: list[Tracked], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run("e")
    whole = written(project)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as during:
        kill_at(during, 25)
        with pytest.raises(KeyboardInterrupt):
            stage.run("e")
    assert written(project) == whole  # what stood there is untouched
    stage.run("e")
    assert written(project) == whole
    assert tracked[-1].steps == 15
    assert len(tracked[-1].rows) == 40


def test_other_parameters_do_not_resume_from_its_checkpoint(
    project: Path, tracked: list[Tracked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as during:
        kill_at(during, 25)
        with pytest.raises(KeyboardInterrupt):
            stage.run("e")
    write_params(project, learning_rate=0.001)
    stage.run("e")
    assert tracked[-1].steps == 40


def test_wrong_parameters_are_refused_before_anything_is_written(
    project: Path, tracked: list[Tracked]
) -> None:
    with pytest.raises(ParamsError, match=r"no key 'experiments\.f'"):
        stage.run("f")
    write_params(project, stepps=3)
    with pytest.raises(
        ParamsError, match=r"unknown key 'experiments\.e\.train\.stepps'; did you mean 'steps'"
    ):
        stage.run("e")
    write_params(project, batch=1000)
    with pytest.raises(GenlineError, match="batch is 1000 but there are only 200 training items"):
        stage.run("e")
    assert not (project / "models").exists()
