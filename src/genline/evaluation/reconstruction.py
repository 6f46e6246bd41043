"""How well an autoencoder without a likelihood gives its images back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genline.core.seeds import numpy_generator
from genline.evaluation.intervals import bootstrap_mean
from genline.evaluation.record import Description, Metric
from genline.evaluation.variational_metrics import OVER_ITEMS

Images = npt.NDArray[np.uint8]

ERROR = Description(
    "Reconstruction error",
    "lower",
    "Root of the mean squared error of each test image, decoded from its own code, in shares of "
    "the range of the grey levels; no likelihood, so compare it only with others of its kind.",
    "of the range",
)


def reconstruction_error(images: Images, rebuilt: Images, levels: int, seed: int) -> Metric:
    """The mean over images of each one's root mean squared error, 0 to 1 of the grey levels.

    images and rebuilt: uint8 (n, channels, height, width) grey levels 0..levels−1.
    """
    difference = images.astype(np.float64) - rebuilt
    errors = np.sqrt(np.square(difference).mean((1, 2, 3))) / (levels - 1)
    spread = bootstrap_mean(errors, numpy_generator(seed, "bootstrap", "reconstruction_error"))
    return ERROR.metric(float(errors.mean()), spread.within(0.0), len(errors), OVER_ITEMS)
