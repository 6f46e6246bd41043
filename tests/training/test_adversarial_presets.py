"""Each preset of an adversarial image model is a valid experiment that trains on its shape."""

from __future__ import annotations

import importlib
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
from genline.models.image_gan.config import Model as GanModel
from genline.models.store import family_config
from genline.tracking.config import Register
from genline.training.engine.recipe import Context

FOLDER = Path(__file__).parents[2] / "presets"
FAMILIES = {"gan": "image_gan", "image-hybrid": "image_hybrid"}
SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "fashion-mnist": (1, 28, 28)}
SHAPES["cifar10"] = (3, 32, 32)
PRESETS = [
    (FOLDER / f"{data}-{kind}-{budget}.yaml", data, kind)
    for data in SHAPES
    for kind in FAMILIES
    for budget in ("small", "full")
]
# As small as each network can be, and as short as a training that is judged once.
SMALL: dict[str, Any] = {"width": 4, "latent": 4, "layers": 1}
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


def test_no_preset_of_such_a_model_is_left_out() -> None:
    found = {
        p for kind in FAMILIES for data in SHAPES for p in FOLDER.glob(f"{data}-{kind}-*.yaml")
    }
    assert found == {preset for preset, _, _ in PRESETS}


@pytest.mark.parametrize(("preset", "data", "kind"), PRESETS, ids=[p.stem for p, _, _ in PRESETS])
def test_a_preset_is_a_valid_experiment_that_trains(
    preset: Path, data: str, kind: str, tmp_path: Path
) -> None:
    name, entry = experiment(preset)
    family = FAMILIES[kind]
    assert (name, entry["dataset"], entry["family"]) == (f"{data}-{kind}", data, family)
    config = family_config(family)
    model = parse_section(config.Model, entry["model"], "model", preset)
    train = parse_section(config.Train, entry["train"], "train", preset)
    parse_section(EvaluateImages, entry["evaluate"], "evaluate", preset)
    parse_section(Register, entry["register"], "register", preset)
    rows = {}
    if isinstance(model, GanModel):
        assert impossible(model, train) is None
        rows = {"row_width": 8}
    judge = train.discriminator.model_copy(update={"width": 4, "layers": 1})
    recipe = importlib.import_module(f"genline.training.recipes.{family}").build(
        Context(Fabric(accelerator="cpu", devices=1), 0),
        noise_images(tmp_path / "data", SHAPES[data]),
        model.model_copy(update=SMALL | rows),
        train.model_copy(update=SHORT | {"discriminator": judge}),
    )
    for step in range(2):
        assert all(torch.isfinite(value) for value in recipe.step(step).values())
    assert np.isfinite(recipe.validate(2)["valid_distance"])
