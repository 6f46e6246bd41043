"""Fitting the judge of images: cross-entropy on the training split, the best validated state."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.core.errors import DataError
from genline.core.seeds import derive_seed
from genline.data.batches import ShuffledBatches
from genline.data.prepared import ImageSplit, PreparedImages, SplitName
from genline.models.evaluators.classifier import ImageClassifier
from genline.models.evaluators.classifier import build as build_network
from genline.models.evaluators.config import ImageEvaluator
from genline.models.initialisation import seeded
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import cosine

_VALIDATIONS = 20


class ClassifierRecipe(Recipe):
    """AdamW with a cosine schedule and dropout on the features.

    What is kept is the state with the lowest validation loss: a classifier that has learnt its
    training images by heart holds them further apart than unseen ones, which would raise the
    distance between two sets of real images.
    """

    selects_by = "valid_loss"

    def __init__(self, context: Context, data: PreparedImages, params: ImageEvaluator) -> None:
        super().__init__()
        self.context = context
        self.steps, self.rate = params.steps, params.learning_rate
        self.validate_every = max(1, params.steps // _VALIDATIONS)
        self.images, self.labels = _tensors(context, data, "train")
        self.valid = _tensors(context, data, "valid")
        seed = derive_seed(context.seed, "batches")
        self.batches = ShuffledBatches(len(self.images), min(params.batch, len(self.images)), seed)
        with seeded(derive_seed(context.seed, "weights")):
            self.network = build_network(params, data.spec).to(context.device)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
        )
        self.modules["classifier"] = self.network
        self.optimizers["classifier"] = self.optimizer
        self.generators["dropout"] = context.generator("dropout")

    def step(self, step: int) -> dict[str, Tensor]:
        set_learning_rate(self.optimizer, cosine(step, self.steps, self.rate))
        chosen = self.context.tensor(self.batches[step])
        with self.context.fabric.autocast():
            features = self.network.features(self.images[chosen])
            logits = self.network.logits(features, self.generators["dropout"])
            loss = functional.cross_entropy(logits, self.labels[chosen])
        self.optimizer.zero_grad()
        self.context.fabric.backward(loss)
        self.optimizer.step()
        return {"loss": loss}

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        images, labels = self.valid
        logits = self.network.logits(self.network.features(images))
        return {
            "valid_loss": functional.cross_entropy(logits, labels).item(),
            "valid_accuracy": (logits.argmax(dim=1) == labels).double().mean().item(),
        }

    def result(self) -> dict[str, Tensor]:
        return self.network.state_dict()

    @torch.no_grad()
    def finish(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        self.network.load_state_dict(weights)
        features = self.network.embed(self.images.cpu().numpy()).features
        variance = features.var(axis=0).mean()
        if variance == 0:
            raise DataError(
                "the evaluator sees no difference between any two training images, so it can "
                "judge none; give images that differ"
            )
        scale = 1 / np.sqrt(variance)
        return weights | {"scale": torch.tensor(scale, dtype=torch.float32)}


def build(context: Context, data: PreparedImages, params: ImageEvaluator) -> Recipe:
    """The recipe of the classifier. Raises ParamsError where the images have no labels."""
    return ClassifierRecipe(context, data, params)


def assess(evaluator: nn.Module, data: PreparedImages) -> dict[str, float]:
    """The share of images put into their class, on the validation and on the test split."""
    assert isinstance(evaluator, ImageClassifier)
    return {
        "valid_accuracy": _accuracy(evaluator, data.split("valid")),
        "test_accuracy": _accuracy(evaluator, data.split("test")),
    }


def _accuracy(classifier: ImageClassifier, split: ImageSplit) -> float:
    return float((classifier.embed(split.images).labels == split.labels).mean())


def _tensors(context: Context, data: PreparedImages, name: SplitName) -> tuple[Tensor, Tensor]:
    split = data.split(name)
    return context.tensor(split.images), context.tensor(split.labels)
