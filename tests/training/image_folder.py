"""A prepared image dataset small enough for a test: real digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from genline.core.files import write_json
from genline.data.prepared import PreparedImages, load_images

SIZES = {"train": 200, "valid": 60, "test": 60}


def write_digits(folder: Path) -> PreparedImages:
    """The first scikit-learn digits, cut into splits of ``SIZES``."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    start = 0
    for split, size in SIZES.items():
        part = slice(start, start + size)
        np.save(folder / f"{split}_images.npy", digits.images[part, None].astype(np.uint8))
        np.save(folder / f"{split}_labels.npy", digits.target[part].astype(np.int64))
        start += size
    spec = {"kind": "image", "channels": 1, "height": 8, "width": 8, "levels": 17, "classes": 10}
    write_json(folder / "meta.json", {"spec": spec, "counts": SIZES})
    return load_images(folder)
