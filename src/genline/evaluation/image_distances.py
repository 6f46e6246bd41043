"""Distances between a set of images and the test split, and how they are told.

Every set compared has as many images as the test set has, and every figure of a sampler is the
mean over several sets drawn independently. The floor of a figure is the same mean with random
sets of real *training* images in place of samples, so a perfect model reaches it and no more:
with a few hundred images a Fréchet distance is far from zero even then.

The interval is that of single draws, not of their mean: the test set is a draw of the same size
too, so its own noise, which the mean cannot average out, is about as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genline.core.errors import DataError
from genline.data.prepared import PreparedImages
from genline.evaluation.class_kl import class_kl, class_shares
from genline.evaluation.frechet import frechet_between, gaussian
from genline.evaluation.intervals import prediction
from genline.evaluation.kernel import kernel_distance
from genline.evaluation.memorisation import memorisation_ratio, unseen_distance
from genline.evaluation.prdc import NEIGHBOURS, manifold, prdc
from genline.evaluation.record import Better, Metric
from genline.models.evaluators.classifier import Embedded, ImageClassifier

Figures = dict[str, float]


@dataclass(frozen=True)
class _Told:
    title: str
    better: Better
    about: str
    unit: str = ""


_NEAR = f"among features, {NEIGHBOURS} neighbours"
_TOLD = {
    "fid": _Told(
        "FID",
        "lower",
        "Fréchet distance between features of the dataset's own classifier: comparable within "
        "this dataset and evaluator alone, and biased upward by the count as its floor is.",
    ),
    "kid": _Told(
        "KID", "lower", "Unbiased cubic-kernel MMD² on the same features; may be below zero."
    ),
    "class_kl": _Told(
        "Class KL",
        "lower",
        "KL of the predicted classes, generated against real: dropped modes show here.",
        "nats",
    ),
    "precision": _Told(
        "Precision", "higher", f"Share of samples that lie within the real images {_NEAR}."
    ),
    "recall": _Told(
        "Recall", "higher", f"Share of real images that lie within the samples {_NEAR}."
    ),
    "density": _Told(
        "Density", "higher", f"How many real neighbourhoods hold a sample, {_NEAR}; may exceed 1."
    ),
    "coverage": _Told(
        "Coverage",
        "higher",
        f"Share of real images with a sample as near as their {NEIGHBOURS}th real neighbour.",
    ),
    "memorisation": _Told(
        "Memorisation ratio",
        "none",
        "Distance of samples to the nearest training image over that of test images, in the "
        "evaluator's features; well below 1 means copying.",
    ),
}


class Reference:
    """The test set as the evaluator sees it, and all that does not depend on the model."""

    def __init__(self, evaluator: ImageClassifier, data: PreparedImages, most: int) -> None:
        """Raises DataError where the test split is too small to compare with."""
        test, train = data.split("test").images, data.split("train").images
        # Equal counts everywhere, so the smaller split decides; splits are in random order.
        self.count = min(len(test), len(train), most)
        if self.count <= NEIGHBOURS:
            raise DataError(
                f"{data.folder}: {self.count} images to compare with, and {NEIGHBOURS + 1} are the "
                "least; give the test split a larger share and prepare again"
            )
        self.evaluator, self.classes = evaluator, data.spec.classes
        self.train = evaluator.embed(train)
        self.test = evaluator.embed(test[: self.count])
        labels = data.split("train").labels
        assert labels is not None  # the evaluator is a classifier, so there are some
        self._members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self.shares = class_shares(self.test.labels, self.classes)
        self._moments = gaussian(self.test.features)
        self._manifold = manifold(self.test.features)
        self._unseen = unseen_distance(self.test.features, self.train.features)

    def floors(self, draws: int, random: np.random.Generator) -> Figures:
        """The mean of every distance over ``draws`` sets of real training images.

        The classes of a set are drawn at random in the proportions of the training split, as a
        perfect model would draw them, then different images of each class. Subsets of a split
        that was stratified by class would have more even classes than independent samples can.
        """
        found = [self._distances(self._real(random)) for _ in range(draws)]
        return {name: float(np.mean([f[name] for f in found])) for name in found[0]}

    def _real(self, random: np.random.Generator) -> Embedded:
        shares = [len(members) / len(self.train.labels) for members in self._members]
        chosen = np.concatenate(
            [
                random.choice(members, size, replace=bool(size > len(members)))
                for members, size in zip(
                    self._members, random.multinomial(self.count, shares), strict=True
                )
            ]
        )
        return Embedded(self.train.features[chosen], self.train.labels[chosen])

    def figures(self, sample: Embedded) -> Figures:
        """Every distance of ``sample`` to the test set, and its memorisation ratio."""
        ratio = memorisation_ratio(sample.features, self.train.features, self._unseen)
        return self._distances(sample) | {"memorisation": ratio}

    def _distances(self, sample: Embedded) -> Figures:
        shares = prdc(self._manifold, manifold(sample.features))
        return {
            "fid": frechet_between(gaussian(sample.features), self._moments),
            "kid": kernel_distance(sample.features, self.test.features),
            "class_kl": class_kl(sample.labels, self.test.labels, self.classes),
            "precision": shares.precision,
            "recall": shares.recall,
            "density": shares.density,
            "coverage": shares.coverage,
        }


def distance_metrics(draws: Sequence[Figures], floors: Figures, count: int) -> dict[str, Metric]:
    """The metrics of one sampler from its figures in each draw of ``count`` images."""
    interval = f"95 %, of one more draw of {count} samples, from {len(draws)}; the real images stay"
    metrics = {}
    for name, told in _TOLD.items():
        values = np.asarray([figures[name] for figures in draws], np.float64)
        low, high = prediction(values)
        metrics[name] = Metric(
            told.title,
            float(values.mean()),
            low,
            high,
            count,
            floors.get(name),
            told.unit,
            told.better,
            interval,
            told.about,
        )
    return metrics
