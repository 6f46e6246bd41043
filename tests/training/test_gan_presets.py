"""Every GAN preset is a valid experiment, and trains on images of its data set's shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from genline.core.files import write_json
from genline.core.params import load_yaml, parse_section
from genline.data.prepared import PreparedImages, load_images
from genline.evaluation.config import EvaluateImages
from genline.models.image_gan.combinations import impossible
from genline.models.image_gan.config import Model, Train
from genline.tracking.config import Register
from genline.training.engine.recipe import Context
from genline.training.recipes.image_gan import build

PRESETS = sorted((Path(__file__).parents[2] / "presets").glob("*-gan-*.yaml"))
SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "fashion-mnist": (1, 28, 28)}
SHAPES["cifar10"] = (3, 32, 32)
IMAGES = [preset for preset in PRESETS if preset.name.rsplit("-gan-", 1)[0] in SHAPES]
# As small as each network can be, and as short as a training that is judged once.
SMALL: dict[str, Any] = {"width": 4, "latent": 4, "row_width": 8, "layers": 1}
SHORT: dict[str, Any] = {"steps": 2, "batch": 4, "validate_every": 2}


def experiment(preset: Path) -> tuple[str, dict[str, Any]]:
    ((name, entry),) = load_yaml(preset)["experiments"].items()
    return name, entry


def noise_images(folder: Path, shape: tuple[int, int, int]) -> PreparedImages:
    folder.mkdir(parents=True)
    random, counts = np.random.default_rng(0), {"train": 12, "valid": 5}
    levels = 17 if shape[1] == 8 else 256
    for split, count in counts.items():
        images = random.integers(0, levels, (count, *shape), dtype=np.uint8)
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", random.integers(0, 10, count))
    channels, height, width = shape
    size = {"channels": channels, "height": height, "width": width}
    spec = {"kind": "image", **size, "levels": levels, "classes": 10}
    write_json(folder / "meta.json", {"spec": spec, "counts": counts})
    return load_images(folder)


def test_every_data_set_has_a_preset_for_each_budget() -> None:
    names = {preset.stem for preset in IMAGES}
    assert names == {f"{data}-gan-{budget}" for data in SHAPES for budget in ("small", "full")}


@pytest.mark.parametrize("preset", IMAGES, ids=lambda preset: preset.stem)
def test_a_preset_is_a_valid_experiment_that_trains(preset: Path, tmp_path: Path) -> None:
    name, entry = experiment(preset)
    dataset = preset.name.rsplit("-gan-", 1)[0]
    assert (name, entry["dataset"], entry["family"]) == (f"{dataset}-gan", dataset, "image_gan")
    model = parse_section(Model, entry["model"], "model", preset)
    train = parse_section(Train, entry["train"], "train", preset)
    parse_section(EvaluateImages, entry["evaluate"], "evaluate", preset)
    parse_section(Register, entry["register"], "register", preset)
    assert impossible(model, train) is None
    judge = train.discriminator.model_copy(update={"width": 4, "layers": 1})
    recipe = build(
        Context(Fabric(accelerator="cpu", devices=1), 0),
        noise_images(tmp_path / "data", SHAPES[dataset]),
        model.model_copy(update=SMALL),
        train.model_copy(update=SHORT | {"discriminator": judge}),
    )
    for step in range(2):
        assert all(torch.isfinite(value) for value in recipe.step(step).values())
    assert np.isfinite(recipe.validate(2)["valid_distance"])
