"""The Fréchet embedding distance: FID's formula in the features of the frozen text encoder.

Semeniuta et al. (2018), "On accurate evaluation of GANs for language generation", section 3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genline.evaluation.frechet import Gaussian, frechet_between, gaussian

RESAMPLES = 60  # puts the standard error within a tenth of itself, two times in three

Floats = npt.NDArray[np.float64]


def embedding_distance(samples: Gaussian, real: Gaussian) -> float:
    """The Fréchet distance between the pooled states of samples and of real texts."""
    return frechet_between(samples, real)


def bootstrap_error(
    features: Floats, real: Gaussian, random: np.random.Generator, resamples: int = RESAMPLES
) -> float:
    """The standard error of the distance of ``features`` (n, d) from ``real``, over samples.

    The spread over resamples of the n features, about their own mean: a resample has fewer
    distinct items, so all of them lie further away than the samples do, and percentiles would.
    """
    count = len(features)
    again = [
        frechet_between(gaussian(features[random.integers(0, count, count)]), real)
        for _ in range(resamples)
    ]
    return float(np.std(again, ddof=1))
