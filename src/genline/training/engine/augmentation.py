"""Changes of images that leave them images of the same kind; each is an entry of a registry.

Applied to real images alone it is plain augmentation: a model then also learns the changed ones.
Applied to all that a discriminator sees, with a gradient through it, it is DiffAugment (Zhao et al.
2020), and the generator learns the unchanged ones. Images are float32 (batch, channels, height,
width) in [−1, 1], and each has a change of its own; ``flip`` and ``crop``, which move pixels and
make none, take grey levels too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional

_SHIFT = 1 / 8  # largest shift, as a share of the side: that of Zhao et al. 2020, section 4
_HOLE = 1 / 2  # side of what cutout hides, as a share of the image's
_DARKEST = -1.0

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def augment(images: Tensor, policy: Iterable[str], generator: torch.Generator) -> Tensor:
    """``images`` after each change that ``policy`` names, in its order."""
    for name in policy:
        images = AUGMENTATIONS[name](images, generator)
    return images


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Left and right exchanged in half of the images."""
    mirrored = _uniform(images, generator) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """Moved by up to an eighth of the side, the border filled by what it mirrors.

    As if a larger image had been cropped: He et al. 2016, section 4.2, pad and crop likewise.
    """
    height, width = images.shape[2:]
    rows, columns = _moved(images, generator)
    return _taken(images, _reflected(rows, height), _reflected(columns, width))


def translate(images: Tensor, generator: torch.Generator) -> Tensor:
    """Moved by up to an eighth of the side, the border filled with the darkest grey."""
    rows, columns = _moved(images, generator)
    # One row and one column of border on each side are what all further ones look like.
    bordered = functional.pad(images, (1, 1, 1, 1), value=_DARKEST)
    height, width = images.shape[2:]
    rows, columns = (rows + 1).clamp(0, height + 1), (columns + 1).clamp(0, width + 1)
    return _taken(bordered, rows, columns)


def colour(images: Tensor, generator: torch.Generator) -> Tensor:
    """Brightness by up to ±0.5, saturation to 0 to 2 times, contrast to 0.5 to 1.5 times."""
    images = images + (_uniform(images, generator) - 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (2.0 * _uniform(images, generator))
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (0.5 + _uniform(images, generator))


def cutout(images: Tensor, generator: torch.Generator) -> Tensor:
    """A square of half the side is hidden, its centre anywhere: DeVries & Taylor 2017."""
    height, width = images.shape[2:]
    inside = [
        _near(size, _uniform(images, generator).flatten(), images.device)
        for size in (height, width)
    ]
    hidden = inside[0][:, :, None] & inside[1][:, None, :]
    return torch.where(hidden[:, None], 0.0, images)


AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": flip,
    "crop": crop,
    "translate": translate,
    "colour": colour,
    "cutout": cutout,
}


def _uniform(images: Tensor, generator: torch.Generator) -> Tensor:
    """One number in [0, 1) an image: (batch, 1, 1, 1)."""
    drawn = torch.rand(len(images), generator=generator, device=generator.device)
    return drawn.to(images.device)[:, None, None, None]


def _moved(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which row and which column each pixel comes from, outside of the image too: (batch, side)."""
    places = []
    for size in images.shape[2:]:
        most = max(1, round(size * _SHIFT)) if size > 1 else 0
        shift = (_uniform(images, generator).flatten() * (2 * most + 1)).long() - most
        places.append(torch.arange(size, device=images.device) + shift[:, None])
    return places[0], places[1]


def _reflected(places: Tensor, size: int) -> Tensor:
    """Places outside of 0 … size − 1 mirrored at the first and the last."""
    last = size - 1
    return last - (places.abs() - last).abs()


def _taken(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels of the given rows (batch, height) and columns (batch, width) of each image.

    By indices, whose gradient is a sum in a fixed order on every device.
    """
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    taken = images.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]]
    return taken.permute(0, 3, 1, 2)


def _near(size: int, centre: Tensor, device: torch.device) -> Tensor:
    """Whether each place of a side is within the hole around ``centre`` (batch,), in [0, 1)."""
    hole = max(1, round(size * _HOLE))
    start = (centre * (size + 1)).long() - hole // 2
    places = torch.arange(size, device=device)
    return (places >= start[:, None]) & (places < start[:, None] + hole)
