"""The Fréchet embedding distance: FID's formula in the features of the frozen text encoder.

Semeniuta et al. (2018), "On accurate evaluation of GANs for language generation", section 3.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from genline.evaluation.frechet import Gaussian, frechet_between, gaussian

GROUPS = 25
STUDENT = 2.0639  # 97.5 % of Student's t with GROUPS − 1 degrees of freedom lies below it

Floats = npt.NDArray[np.float64]


def embedding_distance(features: Floats, real: Gaussian) -> float:
    """The Fréchet distance of the pooled states ``features`` (n, d) from those of real texts."""
    return frechet_between(gaussian(features), real)


def jackknife_error(features: Floats, real: Gaussian, groups: int = GROUPS) -> float:
    """The standard error of the distance over samples: features (n, d), n ≥ groups, real fixed.

    The delete-a-group jackknife (Shao and Tu, 1995, section 2.3), the samples being in random
    order. A bootstrap would need more distances, and its resamples, with fewer distinct items,
    would all lie further away than the samples do.
    """
    parts = np.array_split(np.arange(len(features)), groups)
    left = [frechet_between(gaussian(np.delete(features, part, axis=0)), real) for part in parts]
    return math.sqrt((groups - 1) * float(np.var(left)))
