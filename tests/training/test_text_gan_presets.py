"""Every preset of a text GAN is an entry that params.yaml takes, and trains."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning_fabric import Fabric
from text_corpus import random_texts, write_corpus

from genline import parameters
from genline.core.params import load_yaml
from genline.models.text_gan.config import Model, Train
from genline.training.engine.recipe import Context
from genline.training.recipes.text_gan import build

ROOT = Path(__file__).parents[2]
PRESETS = sorted((ROOT / "presets").glob("*-text-gan-*.yaml"))
EVERY = pytest.mark.parametrize("preset", PRESETS, ids=[path.stem for path in PRESETS])


def entry(preset: Path) -> dict[str, Any]:
    ((name, found),) = load_yaml(preset)["experiments"].items()
    assert preset.stem.startswith(name)
    entry: dict[str, Any] = found
    return entry


def test_each_data_set_has_a_small_and_a_full_preset() -> None:
    stems = {f"{d}-text-gan" for d in ("docstrings", "imdb", "coco-captions", "ptb")}
    assert {p.stem for p in PRESETS} == {f"{s}-{b}" for s in stems for b in ("small", "full")}


@EVERY
def test_a_preset_is_an_entry_that_params_take(
    preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    dataset = copy.deepcopy(params["datasets"]["docstrings"])
    params["datasets"] = {entry(preset)["dataset"]: dataset}
    params["experiments"] = {"preset": entry(preset)}
    suite = tmp_path / dataset["validate"]["suite"]
    suite.parent.mkdir(parents=True)
    suite.write_text("expectations: []\n")
    Path("params.yaml").write_text(yaml.safe_dump(params))
    parameters.check()


@EVERY
def test_a_preset_trains(preset: Path, tmp_path: Path) -> None:
    """A few steps of each phase, with narrower layers and smaller batches."""
    corpus = write_corpus(tmp_path / "corpus", random_texts(40, 15, 6), 15)
    found = entry(preset)
    model, train = found["model"], found["train"]
    narrow = {"embedding": 12, "hidden": 2 * model["heads"], "latent": min(model["latent"], 4)}
    short = {"pretrain_steps": 2, "adversarial_steps": 2, "batch": 8}
    context = Context(Fabric(accelerator="cpu", devices=1, precision="32-true"), 3)
    made = build(context, corpus, Model(**(model | narrow)), Train(**(train | short)))
    for step in range(made.steps):
        assert all(bool(torch.isfinite(value)) for value in made.step(step).values())
    assert made.validate(made.steps)["valid_loss"] > 0
