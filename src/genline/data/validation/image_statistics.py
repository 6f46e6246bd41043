"""Statistics of images, of many at once that have one shape."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

# A standard deviation below this share of the range of the data shows nothing to learn from.
NEAR_CONSTANT = 0.02
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_SIDE = 8  # frequencies kept each way
_FEW = 2**22  # cells of a table of histograms

Pixels = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray[Any]]


def statistics(pixels: Pixels, levels: int) -> Columns:
    """Columns of one value an image; pixels: whole numbers (images, channels, height, width)."""
    flat = pixels.reshape(len(pixels), -1)
    std = flat.std(axis=1)
    return {
        "min": flat.min(axis=1),
        "max": flat.max(axis=1),
        "mean": flat.mean(axis=1),
        "std": std,
        "entropy": entropies(flat),
        "near_constant": std < NEAR_CONSTANT * (levels - 1),
    }


def entropies(flat: Pixels) -> Floats:
    """Shannon entropy of the histogram of each row of ``flat``, in bits: (images,)."""
    low = int(flat.min())
    span = int(flat.max()) - low + 1
    if span > max(_FEW // len(flat), 1):
        return np.array([_entropy(np.unique(row, return_counts=True)[1]) for row in flat])
    rows = np.arange(len(flat))[:, None] * span
    counts = np.bincount((flat.astype(np.int64) - low + rows).ravel(), minlength=len(flat) * span)
    return np.asarray(_entropy(counts.reshape(len(flat), span)))


def _entropy(counts: npt.NDArray[np.int64]) -> Any:
    shares = counts / counts.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares > 0, shares * np.log2(shares), 0.0)
    return np.abs(terms.sum(axis=-1))  # no minus zero


def low_frequencies(pixels: Pixels, levels: int) -> Floats:
    """The 8×8 lowest waves of each image's cosine transform, the mean first: (images, 64).

    pixels: (images, channels, height, width). The transform keeps lengths, so that the product of
    two images without their means is that of all their waves but the first.
    """
    grey = grey_images(pixels, levels)
    waves = _cosines(grey.shape[1]) @ grey @ _cosines(grey.shape[2]).T
    # What differs by rounding alone is equal, so that blank images have one hash everywhere.
    return np.round(waves.reshape(len(grey), -1), 6)


def perceptual_hashes(waves: Floats) -> npt.NDArray[np.uint64]:
    """The perceptual hash of each image, of its low frequencies: (images,).

    A bit for each but the mean: whether it is above their median. Zauner 2010, Implementation and
    benchmarking of perceptual image hash functions, section 3.2.1.
    """
    bits = waves > np.median(waves[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()


def grey_images(pixels: Pixels, levels: int) -> Floats:
    """(images, height, width) in [0, 1], brightness of three channels, else their mean."""
    if pixels.shape[1] == len(_LUMA):
        return np.asarray(np.tensordot(pixels, _LUMA / (levels - 1), axes=(1, 0)))
    if pixels.shape[1] == 1:
        return pixels[:, 0] / (levels - 1)
    return np.asarray(pixels.mean(axis=1) / (levels - 1))


@lru_cache(maxsize=64)
def _cosines(size: int) -> Floats:
    """The 8 lowest waves of the orthonormal cosine transform of ``size`` values: (8, size)."""
    places = (2 * np.arange(size) + 1) * np.pi / (2 * size)
    lengths = np.sqrt(np.where(np.arange(_SIDE) == 0, 1, 2) / size)
    # Of fewer values than 8 there are no more waves than values.
    lengths[size:] = 0
    return np.asarray(lengths[:, None] * np.cos(np.outer(np.arange(_SIDE), places)))
