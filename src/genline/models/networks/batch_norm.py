"""Batch normalisation of feature maps, plain or with a scale and a shift for every class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from torch import Tensor, nn


class ClassBatchNorm(nn.Module):
    """Batch normalisation whose scale and shift are looked up by label where there are classes.

    Ioffe & Szegedy 2015; conditional as in Dumoulin et al. 2017, equation 5, and de Vries et al.
    2017, section 4. ``classes`` 0 is the plain layer.
    """

    def __init__(self, width: int, classes: int = 0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width, affine=not classes)
        self.scale = nn.Embedding(classes, width) if classes else None
        self.shift = nn.Embedding(classes, width) if classes else None
        if self.scale is not None and self.shift is not None:
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(batch, width, h, w) to the same; labels: int64 (batch,), wanted where classes are."""
        normal = cast(Tensor, self.norm(x))
        if self.scale is None or self.shift is None:
            return normal
        scale, shift = self.scale(labels), self.shift(labels)
        return cast(Tensor, normal * scale[:, :, None, None] + shift[:, :, None, None])


class WithoutNorm(nn.Module):
    """What stands in the place of a normalisation where there is none."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return x


def class_norm(kind: str, width: int, classes: int = 0) -> nn.Module:
    """The layer called ``kind``, "batch" or "none"; both take (x, labels)."""
    return ClassBatchNorm(width, classes) if kind == "batch" else WithoutNorm()


@contextmanager
def settling(network: nn.Module) -> Iterator[bool]:
    """Inside, batches that pass ``network`` make up its statistics anew, each counting as much.

    The standing statistics of Brock et al. 2019, appendix D: those of training are of other
    weights than an averaged network's. Gives whether there are any; afterwards the network is in
    evaluation mode.
    """
    layers = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's word for a plain mean over batches
        layer.train()
    try:
        yield bool(layers)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        network.eval()
