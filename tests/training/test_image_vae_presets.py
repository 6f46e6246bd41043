"""The presets of image VAEs: entries of params.yaml that are valid and train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lightning_fabric import Fabric

from genline import parameters
from genline.core.files import write_json
from genline.core.params import load_yaml
from genline.data.prepared import ImageSpec, PreparedImages, load_images, spec_to_json
from genline.models.image_vae.model import ImageVAE
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.image_vae import build

ROOT = Path(__file__).parents[2]
PRESETS = sorted((ROOT / "presets").glob("*-image-vae-*.yaml"))
SPECS = {
    "digits": ImageSpec(channels=1, height=8, width=8, levels=17, classes=10),
    "mnist": ImageSpec(channels=1, height=28, width=28, levels=256, classes=10),
    "fashion-mnist": ImageSpec(channels=1, height=28, width=28, levels=256, classes=10),
    "cifar10": ImageSpec(channels=3, height=32, width=32, levels=256, classes=10),
}
# What a budget is made of; all else is as the preset says.
TINY_MODEL = {"width": 4, "latent": 3, "gmm_components": [2], "second_stage_width": 8}
TINY_TRAIN = {"steps": 2, "batch": 4, "validate_every": 1, "second_stage_steps": 2}


def entry(file: Path) -> dict[str, Any]:
    (value,) = load_yaml(file)["experiments"].values()
    return dict(value)


def prepared(folder: Path, spec: ImageSpec) -> PreparedImages:
    random = np.random.default_rng(0)
    folder.mkdir()
    for name in ("train", "valid", "test"):
        images = random.integers(0, spec.levels, (12, *spec.shape)).astype(np.uint8)
        np.save(folder / f"{name}_images.npy", images)
        np.save(folder / f"{name}_labels.npy", random.integers(0, spec.classes, 12))
    write_json(folder / "meta.json", {"spec": spec_to_json(spec)})
    return load_images(folder)


def test_there_is_one_for_each_data_set_and_budget() -> None:
    names = {f"{dataset}-image-vae-{budget}" for dataset in SPECS for budget in ("small", "full")}
    assert {file.stem for file in PRESETS} == names


@pytest.mark.parametrize("file", PRESETS, ids=lambda f: f.stem)
def test_a_preset_is_an_entry_that_params_yaml_takes_and_that_trains(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = entry(file)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["datasets"][value["dataset"]] = params["datasets"]["digits"]
    params["experiments"] = load_yaml(file)["experiments"]
    monkeypatch.chdir(ROOT)  # where the suite of expectations stands
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    parameters.check(tmp_path / "params.yaml")

    experiment = parameters._ImageVae.model_validate(value)
    model = experiment.model.model_copy(update=TINY_MODEL)
    section = experiment.train.model_copy(update=TINY_TRAIN)
    data = prepared(tmp_path / "data", SPECS[experiment.dataset])
    recipe = build(Context(Fabric(accelerator="cpu", devices=1), 3), data, model, section)
    trained = train(file.stem, recipe, Checkpoints(tmp_path, "preset", "0"))
    vae = ImageVAE(model, data.spec).eval()
    vae.load_state_dict(trained.weights)
    for sampler in model.samplers:
        images = vae.sample(3, torch.Generator().manual_seed(0), sampler)
        assert images.shape == (3, *data.spec.shape)
