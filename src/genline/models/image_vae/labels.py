"""How labels reach a class-conditional VAE: beside the pixels, and beside z."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.core.errors import ModelError
from genline.data.prepared import ImageSpec

MOST = 256  # classes: a label is a grey level of a plane of its own


class Labels(nn.Module):
    """The label of an image, as both networks see it, and how often each stands in the data.

    To the encoder it is one more plane of the image, which is learned (as in Denton et al. 2015),
    to the decoder a one-hot code beside z (as in Sohn et al. 2015).
    """

    counts: Tensor  # float32 (classes,): training images of each

    def __init__(self, spec: ImageSpec) -> None:
        super().__init__()
        self.classes, self.shape = spec.classes, (1, spec.height, spec.width)
        self.planes = nn.Embedding(spec.classes, spec.height * spec.width)
        self.register_buffer("counts", torch.ones(spec.classes))

    def plane(self, labels: Tensor) -> Tensor:
        """(batch, 1, height, width) of int64 labels (batch,)."""
        plane: Tensor = self.planes(labels)
        return plane.reshape(len(labels), *self.shape)

    def codes(self, labels: Tensor) -> Tensor:
        """float32 (batch, classes) of int64 labels (batch,)."""
        return functional.one_hot(labels, self.classes).float()

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """int64 (count,) with the frequencies of the training data, on the generator's device."""
        weights = self.counts.to(generator.device)
        return torch.multinomial(weights, count, replacement=True, generator=generator)

    def log_frequency(self, labels: Tensor) -> Tensor:
        """ln p(y) in nats, (batch,); half an image is added to each class, so that none is 0."""
        counts = self.counts + 0.5
        return (counts / counts.sum()).log()[labels]


def require_labels(spec: ImageSpec) -> None:
    """Raises ModelError where no class-conditional model of ``spec`` can be made."""
    if not 2 <= spec.classes <= MOST:
        found = "have none" if not spec.classes else f"have {spec.classes} classes"
        raise ModelError(
            f"model.conditional is true, which wants images of 2 to {MOST} classes, and these "
            f"{found}; set it to false, or prepare images with such labels"
        )
