"""Every preset of a text model is an entry that params.yaml takes, and trains."""

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
from genline.data.prepared import PreparedTexts
from genline.models.text_gan import config as text_gan_config
from genline.models.text_vae import config as text_vae_config
from genline.training.engine.recipe import Context, Recipe
from genline.training.recipes import text_gan, text_vae

ROOT = Path(__file__).parents[2]
PRESETS = sorted((ROOT / "presets").glob("*-text-*.yaml"))
EVERY = pytest.mark.parametrize("preset", PRESETS, ids=[path.stem for path in PRESETS])


def entry(preset: Path) -> dict[str, Any]:
    ((name, found),) = load_yaml(preset)["experiments"].items()
    assert preset.stem.startswith(name)
    entry: dict[str, Any] = found
    return entry


def test_each_data_set_has_a_small_and_a_full_preset() -> None:
    data = ("docstrings", "imdb", "coco-captions", "ptb")
    stems = {f"{name}-text-{family}" for name in data for family in ("vae", "gan")}
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


def context() -> Context:
    return Context(Fabric(accelerator="cpu", devices=1, precision="32-true"), 3)


def smaller_gan(data: PreparedTexts, model: dict[str, Any], train: dict[str, Any]) -> Recipe:
    narrow = {"embedding": 12, "hidden": 2 * model["heads"], "latent": min(model["latent"], 4)}
    short = {"pretrain_steps": 2, "adversarial_steps": 2, "batch": 8}
    sections = text_gan_config.Model(**(model | narrow)), text_gan_config.Train(**(train | short))
    return text_gan.build(context(), data, *sections)


def smaller_vae(data: PreparedTexts, model: dict[str, Any], train: dict[str, Any]) -> Recipe:
    narrow = {k: min(model[k], 16) for k in ("embedding", "encoder", "decoder", "latent")}
    short = {"steps": 3, "batch": 8, "pretrain_steps": min(train["pretrain_steps"], 2)}
    sections = text_vae_config.Model(**(model | narrow)), text_vae_config.Train(**(train | short))
    return text_vae.build(context(), data, *sections)


SMALLER = {"text_gan": smaller_gan, "text_vae": smaller_vae}


@EVERY
def test_a_preset_trains(preset: Path, tmp_path: Path) -> None:
    """A few steps of each phase, with narrower layers and smaller batches."""
    corpus = write_corpus(tmp_path / "corpus", random_texts(40, 15, 6), 15)
    found = entry(preset)
    model, train = found["model"], found["train"]
    made = SMALLER[found["family"]](corpus, model, train)
    for step in range(made.steps):
        assert all(bool(torch.isfinite(value)) for value in made.step(step).values())
    assert made.validate(made.steps)["valid_loss"] > 0
