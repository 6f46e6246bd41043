"""The judge of images: what it learns, how it is stored, and what it refuses."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from judged_digits import EVALUATOR, Digits, write_images

from genline.core.errors import DataError, ModelError, ParamsError
from genline.data.prepared import ImageSpec, load_images
from genline.models.evaluators.classifier import build
from genline.models.evaluators.store import load_evaluator
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.recipe import Context
from genline.training.recipes.evaluators import classifier as recipe
from genline.training.recipes.evaluators.classifier import assess


def test_it_tells_the_digits_apart(digits: Digits):
    quality = assess(digits.evaluator, digits.data)
    assert quality["test_accuracy"] > 0.93


def test_features_of_training_images_have_a_mean_variance_of_one(digits: Digits):
    features = digits.evaluator.embed(digits.data.split("train").images).features
    assert features.dtype == np.float64
    assert features.shape == (700, 16)
    assert features.var(axis=0).mean() == pytest.approx(1, rel=1e-4)
    assert np.linalg.matrix_rank(np.cov(features.T)) == 16


def test_an_image_has_the_same_features_in_any_company(digits: Digits):
    images = digits.data.split("test").images
    alone, together = digits.evaluator.embed(images[:1]), digits.evaluator.embed(images)
    assert alone.features[0] == pytest.approx(together.features[0], rel=1e-4, abs=1e-5)


def test_it_is_frozen_and_its_digest_is_of_its_weights(digits: Digits):
    first, second = load_evaluator(digits.folder), load_evaluator(digits.folder)
    assert first.digest == second.digest and len(first.digest) == 64
    assert first.spec == digits.data.spec
    assert not any(p.requires_grad for p in first.evaluator.parameters())
    assert not first.evaluator.training


def test_a_truncated_weights_file_is_named_in_one_line(digits: Digits, tmp_path: Path):
    folder = shutil.copytree(digits.folder, tmp_path / "judge")
    weights = folder / "evaluator.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"evaluator\.safetensors: cannot be read"):
        load_evaluator(folder)


def test_a_missing_folder_says_what_to_run(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no evaluator here.*dvc repro"):
        load_evaluator(tmp_path / "nowhere")


def test_images_that_are_all_the_same_are_refused_without_a_warning(
    digits: Digits, tmp_path: Path, recwarn: pytest.WarningsRecorder
):
    same = np.full((1100, 1, 8, 8), 7, np.uint8)
    write_images(tmp_path / "same", same, np.arange(1100) % 10)
    context = Context(make_fabric(Runtime(device="cpu", threads=1, precision="32-true")), seed=3)
    judge = recipe.build(context, load_images(tmp_path / "same"), EVALUATOR)
    with pytest.raises(DataError, match="no difference between any two training images"):
        judge.finish(judge.result())
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def test_images_without_labels_are_refused_with_what_would_be_right(digits: Digits):
    with pytest.raises(ParamsError, match=r"no labels.*one folder a class"):
        build(EVALUATOR, dataclasses.replace(digits.data.spec, classes=0))


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 32, 32), (1, 5, 17)])
def test_it_takes_images_of_any_size(channels: int, height: int, width: int):
    spec = ImageSpec(channels=channels, height=height, width=width, levels=256, classes=4)
    images = np.random.default_rng(0).integers(0, 256, (3, *spec.shape)).astype(np.uint8)
    with torch.random.fork_rng():
        found = build(EVALUATOR, spec).embed(images)
    assert found.features.shape == (3, 16)
    assert np.isfinite(found.features).all()
    assert found.labels.shape == (3,)
