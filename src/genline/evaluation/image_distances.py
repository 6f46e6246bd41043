"""Distances between a set of images and the test split, and how they are told.

Every set compared has as many images as the test set has, and every figure of a sampler is the
mean over several sets drawn independently. The floor of a figure is the same mean with random
sets of real *training* images in place of samples, so a perfect model reaches it and no more:
with a few hundred images a Fréchet distance is far from zero even then.

The error of FID is that of the mean over the sets and, by the jackknife, of the test images. That
of any other figure is of one more set, not of the mean: the test set is a draw of the same size
too, so its own noise, which the mean cannot average out, is about as large. The interval of a
floor is that of one more set of real images too, fresh ones: wider than the spread of the sets
drawn here, which overlap, being of one training split.

The classifier has been fitted on the training images, so that they might lie closer to the test
images in its features than unseen ones do, and the floors be too low. ``unseen_fid`` measures
that: validation images, which it was not fitted on, beside as many training images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genline.core.errors import DataError
from genline.core.seeds import numpy_generator
from genline.data.prepared import PreparedImages
from genline.evaluation.class_kl import class_kl, class_shares
from genline.evaluation.frechet_jackknife import GROUPS, RealItems, jackknifed_distance
from genline.evaluation.intervals import Error, combined, jackknifed, prediction
from genline.evaluation.kernel import kernel_distance
from genline.evaluation.memorisation import Unseen
from genline.evaluation.neighbours import nearest
from genline.evaluation.prdc import NEIGHBOURS, manifold, prdc
from genline.evaluation.record import Description, Floor, Metric
from genline.models.evaluators.classifier import Embedded, ImageClassifier

Figures = dict[str, float]
Counts = npt.NDArray[np.int64]

_NEAR = f"among features, {NEIGHBOURS} neighbours"
DESCRIPTIONS = {
    "fid": Description(
        "FID",
        "lower",
        "Fréchet distance between features of the dataset's own classifier: comparable within "
        "this dataset and evaluator alone, and biased upward by the count as its floor is.",
    ),
    "kid": Description(
        "KID", "lower", "Unbiased cubic-kernel MMD² on the same features; may be below zero."
    ),
    "class_kl": Description(
        "Class KL",
        "lower",
        "KL of the predicted classes, generated against real: dropped modes show here.",
        "nats",
    ),
    "precision": Description(
        "Precision", "higher", f"Share of samples that lie within the real images {_NEAR}."
    ),
    "recall": Description(
        "Recall", "higher", f"Share of real images that lie within the samples {_NEAR}."
    ),
    "density": Description(
        "Density", "higher", f"How many real neighbourhoods hold a sample, {_NEAR}; may exceed 1."
    ),
    "coverage": Description(
        "Coverage",
        "higher",
        f"Share of real images with a sample as near as their {NEIGHBOURS}th real neighbour.",
    ),
    "memorisation": Description(
        "Memorisation ratio",
        "none",
        "Distance of samples to the nearest training image over that of test images, in the "
        "evaluator's features; well below 1 means copying.",
    ),
    "copied": Description(
        "Near copies",
        "none",
        "Share of samples no further from a training image than the nearest hundredth of the test "
        "images are, in the evaluator's features; the floor, about 1 %, is an honest sampler's.",
    ),
}
UNSEEN = Description(
    "FID of unseen real images",
    "none",
    "Validation images, which the classifier was not fitted on, against test images; the floor is "
    "that of as many training images: were it far lower, the floors of the other distances would "
    "be too low.",
)
BY_GROUPS = f"95 %, Student's t, jackknife over {GROUPS} groups of images on either side"
_ANY = (-math.inf, math.inf)
_RANGES = {
    "class_kl": (0.0, math.inf),
    "precision": (0.0, 1.0),
    "recall": (0.0, 1.0),
    "density": (0.0, math.inf),
    "coverage": (0.0, 1.0),
    "memorisation": (0.0, math.inf),
    "copied": (0.0, 1.0),
}
# The class counts of every set are drawn afresh, so figures of them alone do not overlap.
_OF_CLASSES = ("class_kl",)


class Reference:
    """The test set as the evaluator sees it, and all that does not depend on the model."""

    def __init__(self, evaluator: ImageClassifier, data: PreparedImages, most: int) -> None:
        """Raises DataError where the test split is too small to compare with."""
        test, train = data.split("test").images, data.split("train").images
        # Equal counts everywhere, so the smaller split decides.
        self.count = min(len(test), len(train), most)
        if self.count <= NEIGHBOURS:
            raise DataError(
                f"{data.folder}: {self.count} images to compare with, and {NEIGHBOURS + 1} are the "
                "least; give the test split a larger share and prepare again"
            )
        self.evaluator, self.classes = evaluator, data.spec.classes
        self.train = evaluator.embed(train)
        self.test = evaluator.embed(test[_some(len(test), self.count, data.digest)])
        labels = data.split("train").labels
        assert labels is not None  # the evaluator is a classifier, so there are some
        self._labels = np.unique(labels)
        self._members = [np.flatnonzero(labels == label) for label in self._labels]
        self.shares = class_shares(self.test.labels, self.classes)
        self._real = RealItems(self.test.features)
        self._manifold = manifold(self.test.features)
        self._unseen = Unseen(nearest(self.test.features, self.train.features))
        valid = data.split("valid").images
        self._valid = valid[_some(len(valid), min(len(valid), self.count), data.digest)]

    def floors(self, draws: int, random: np.random.Generator) -> dict[str, Floor]:
        """The mean of every distance over ``draws`` sets of real training images.

        The classes of a set are drawn at random in the proportions of the training split, as a
        perfect model would draw them, then different images of each class. Subsets of a split
        that was stratified by class would have more even classes than independent samples can.
        """
        shares = [len(members) / len(self.train.labels) for members in self._members]
        found = [
            self._distances(self._training(random.multinomial(self.count, shares), random))
            for _ in range(draws)
        ]
        floors = {}
        for name in found[0]:
            shared = 0.0 if name in _OF_CLASSES else self.count / len(self.train.labels)
            floors[name] = _floor([figures[name] for figures in found], shared)
        return floors | {"copied": self._unseen.floor(self.count)}

    def unseen(self, draws: int, random: np.random.Generator) -> Metric:
        """FID of the validation images; the floor is that of ``draws`` sets of training images
        with as many of each class."""
        images = self.evaluator.embed(self._valid)
        counts = np.array([(images.labels == label).sum() for label in self._labels])
        distance = jackknifed_distance(images.features, self._real)
        floor = _floor(
            [self._real.distance(self._training(counts, random).features) for _ in range(draws)],
            len(images.labels) / len(self.train.labels),
        )
        spread = distance.error.around(distance.value).within(0.0)
        return UNSEEN.metric(
            distance.value, spread, len(images.labels), BY_GROUPS, floor, distance.left_out
        )

    def _training(self, counts: Counts, random: np.random.Generator) -> Embedded:
        """So many training images of each class, different ones while there are enough."""
        chosen = np.concatenate(
            [
                random.choice(members, size, replace=bool(size > len(members)))
                for members, size in zip(self._members, counts, strict=True)
            ]
        )
        return Embedded(self.train.features[chosen], self.train.labels[chosen])

    def fid_left_out(self, draws: Sequence[Embedded]) -> tuple[float, ...]:
        """The mean FID of ``draws`` with each group of test images left out."""
        found = [self._real.distances_left_out(sample.features) for sample in draws]
        return tuple(np.mean(found, axis=0).tolist())

    def figures(self, sample: Embedded) -> Figures:
        """Every distance of ``sample`` to the test set, and how near the training images it is."""
        found = nearest(sample.features, self.train.features)
        copying = {"memorisation": self._unseen.ratio(found), "copied": self._unseen.copied(found)}
        return self._distances(sample) | copying

    def _distances(self, sample: Embedded) -> Figures:
        shares = prdc(self._manifold, manifold(sample.features))
        return {
            "fid": self._real.distance(sample.features),
            "kid": kernel_distance(sample.features, self.test.features),
            "class_kl": class_kl(sample.labels, self.test.labels, self.classes),
            "precision": shares.precision,
            "recall": shares.recall,
            "density": shares.density,
            "coverage": shares.coverage,
        }


def distance_metrics(
    draws: Sequence[Figures],
    floors: dict[str, Floor],
    count: int,
    fid_left_out: tuple[float, ...],
) -> dict[str, Metric]:
    """The metrics of one sampler from its figures in each draw of ``count`` images."""
    interval = (
        f"95 %, of one more draw of {count} samples, from {len(draws)}, whose noise stands for "
        "that of the real images too"
    )
    metrics = {}
    for name, told in DESCRIPTIONS.items():
        values = np.asarray([figures[name] for figures in draws], np.float64)
        spread = prediction(values).within(*_RANGES.get(name, _ANY))
        metrics[name] = told.metric(float(values.mean()), spread, count, interval, floors.get(name))
    metrics["fid"] = _fid([figures["fid"] for figures in draws], floors, count, fid_left_out)
    return metrics


def _fid(
    draws: Sequence[float],
    floors: dict[str, Floor],
    count: int,
    left_out: tuple[float, ...],
) -> Metric:
    value = float(np.mean(draws))
    samples = float(np.std(draws, ddof=1)) / math.sqrt(len(draws))
    error = combined(Error(samples, len(draws) - 1), jackknifed(left_out))
    spread = error.around(value).within(0.0)
    interval = (
        f"95 %, Student's t, over {len(draws)} draws of samples and, by the jackknife, "
        f"{len(left_out)} groups of test images"
    )
    return DESCRIPTIONS["fid"].metric(value, spread, count, interval, floors["fid"], left_out)


def _some(images: int, count: int, digest: str) -> Counts:
    """``count`` of so many images at random, in their order: a split is ordered as its source."""
    return np.sort(numpy_generator(0, "some", digest).permutation(images)[:count])


def _floor(values: Sequence[float], shared: float) -> Floor:
    """``shared``: the share of the training split in each set; nothing is known of fresh sets
    where it is the whole split."""
    if shared >= 1:
        return Floor(float(np.mean(values)))
    spread = prediction(np.asarray(values, np.float64), shared)
    return Floor(float(np.mean(values)), spread.low, spread.high)
