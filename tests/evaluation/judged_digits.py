"""Real digits, prepared by hand, and the classifier that judges them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from genline.core.files import write_json
from genline.data.prepared import ImageSpec, PreparedImages, load_images, spec_to_json
from genline.models.evaluators.classifier import ImageClassifier
from genline.models.evaluators.config import ImageEvaluator
from genline.models.evaluators.store import load_evaluator, save_evaluator
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.evaluators import classifier as recipe

EVALUATOR = ImageEvaluator(
    width=8, features=16, steps=200, batch=64, learning_rate=4e-3, weight_decay=0.05, dropout=0.1
)


class Digits(NamedTuple):
    data: PreparedImages
    fresh: npt.NDArray[np.uint8]  # real images that are in no split
    folder: Path  # of the evaluator
    evaluator: ImageClassifier


def write_images(
    folder: Path, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> None:
    """700 images to train on, 100 to validate with, 300 to test on."""
    folder.mkdir(parents=True)
    ends = {"train": (0, 700), "valid": (700, 800), "test": (800, 1100)}
    for name, (start, end) in ends.items():
        np.save(folder / f"{name}_images.npy", images[start:end])
        np.save(folder / f"{name}_labels.npy", labels[start:end])
    spec = ImageSpec(channels=1, height=8, width=8, levels=17, classes=10)
    write_json(folder / "meta.json", {"spec": spec_to_json(spec)})


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    from sklearn.datasets import load_digits

    top = tmp_path_factory.mktemp("digits")
    source = load_digits()
    order = np.random.default_rng(0).permutation(len(source.target))
    images = source.images.astype(np.uint8)[order, None]
    labels = source.target.astype(np.int64)[order]
    write_images(top / "prepared", images, labels)
    data = load_images(top / "prepared")
    context = Context(make_fabric(Runtime(device="cpu", threads=1, precision="32-true")), seed=3)
    trained = train("judge", recipe.build(context, data, EVALUATOR), Checkpoints(top, "judge", "0"))
    save_evaluator(top / "judge", EVALUATOR, data.spec, trained.weights)
    judge = load_evaluator(top / "judge").evaluator
    assert isinstance(judge, ImageClassifier)
    return Digits(data, images[1100:], top / "judge", judge)
