"""Whether a model copies: how near its samples come to training images, against unseen ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genline.evaluation.neighbours import nearest

Floats = npt.NDArray[np.float64]


def memorisation_ratio(generated: Floats, train: Floats, unseen: float) -> float:
    """Mean distance of generated features (n, d) to the nearest of train (m, d), over ``unseen``.

    ``unseen`` is the same mean for test images. Near 1 for samples as new as they are, 0 for
    copies; infinite where every test image is itself a copy.
    """
    distance = float(nearest(generated, train).mean())
    return distance / unseen if unseen > 0 else float("inf")


def unseen_distance(test: Floats, train: Floats) -> float:
    """Mean distance of test features (n, d) to the nearest of train (m, d)."""
    return float(nearest(test, train).mean())
