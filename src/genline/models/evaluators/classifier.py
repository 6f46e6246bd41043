"""The judge of images: a small convolutional classifier, read at its feature head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.core.errors import ParamsError
from genline.data.prepared import ImageSpec
from genline.models.evaluators.config import ImageEvaluator
from genline.models.networks.dropout import dropout
from genline.models.networks.pixels import normalise

_SMALLEST = 4  # pixels: blocks halve the image until neither side is longer
_WIDEST = 8  # times the first block's channels
_GROUPS = 8
_BATCH = 256  # images embedded together


@dataclass(frozen=True)
class Embedded:
    """features: float64 (n, features); labels: int64 (n,), the most probable class of each."""

    features: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


class ImageClassifier(nn.Module):
    """Convolutions that halve the image, a linear feature head, and classes read from it.

    The features are taken before their non-linearity, so that no dimension is dead and the
    covariance has full rank. ``scale`` brings them, once fitted, to a mean variance of 1: it
    changes no comparison, and makes figures of different fits alike in size.
    """

    scale: Tensor

    def __init__(self, params: ImageEvaluator, spec: ImageSpec) -> None:
        super().__init__()
        self.levels, self.rate = spec.levels, params.dropout
        height, width, channels = spec.height, spec.width, params.width
        self.blocks = nn.ModuleList([_Block(spec.channels, channels, stride=1)])
        while max(height, width) > _SMALLEST:
            following = min(2 * channels, _WIDEST * params.width)
            self.blocks.append(_Block(channels, following, stride=2))
            height, width, channels = (height + 1) // 2, (width + 1) // 2, following
        self.head = nn.Linear(channels * height * width, params.features)
        self.classes = nn.Linear(params.features, spec.classes)
        self.register_buffer("scale", torch.ones(()))

    def features(self, images: Tensor) -> Tensor:
        """float32 (n, features) of images: uint8 (n, channels, height, width) grey levels."""
        x = normalise(images, self.levels)
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.head(x.flatten(1))
        return features

    def logits(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """float32 (n, classes) of features (n, features), dropped out if given a generator."""
        if generator is not None:
            features = dropout(features, self.rate, generator)
        logits: Tensor = self.classes(functional.silu(features))
        return logits

    @torch.no_grad()
    def embed(self, images: npt.NDArray[np.uint8]) -> Embedded:
        """Scaled features, predicted classes: of images, uint8 (n, channels, height, width)."""
        features, labels = [], []
        for batch in self._batches(images):
            found = self.features(batch)
            features.append((found * self.scale).double().cpu().numpy())
            labels.append(self.logits(found).argmax(dim=1).cpu().numpy())
        return Embedded(np.concatenate(features), np.concatenate(labels))

    def _batches(self, images: npt.NDArray[np.uint8]) -> Iterator[Tensor]:
        device = self.head.weight.device
        for start in range(0, len(images), _BATCH):
            yield torch.tensor(images[start : start + _BATCH], device=device)


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        self.normalisation = nn.GroupNorm(_GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(self.normalisation(self.convolution(x)))


def build(params: ImageEvaluator, spec: ImageSpec) -> ImageClassifier:
    """A classifier for ``spec``. Raises ParamsError where there are no labels to learn from."""
    if spec.classes < 2:
        raise ParamsError(
            "the images have no labels, and the evaluator of images is a classifier; put the "
            "images into one folder a class (two classes or more) and prepare them again"
        )
    return ImageClassifier(params, spec)
