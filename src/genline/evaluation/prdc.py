"""Precision, recall, density and coverage: fidelity and variety taken apart.

Precision and recall: Kynkäänniemi et al., 2019, section 2; density and coverage: Naeem et al.,
2020, section 3. Balls reach to the k-th nearest neighbour, their surface left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genline.core.arrays import Floats
from genline.evaluation.neighbours import distance_blocks, radii

NEIGHBOURS = 5


@dataclass(frozen=True)
class Manifold:
    """features: float64 (n, d); radii: (n,), each point's distance to its k-th neighbour."""

    features: Floats
    radii: Floats
    k: int


@dataclass(frozen=True)
class Prdc:
    """precision, recall and coverage are shares in [0, 1]; density may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(features: npt.ArrayLike, k: int = NEIGHBOURS) -> Manifold:
    """The balls around features (n, d), n > k."""
    array = np.asarray(features, np.float64)
    return Manifold(array, radii(array, k), k)


def prdc(real: Manifold, generated: Manifold) -> Prdc:
    """The four shares of ``generated`` against ``real``.

    precision: generated points inside some real ball; recall: real points inside some generated
    ball; density: real balls a generated point is in, over k; coverage: real points whose ball
    holds a generated point.
    """
    inside_real = np.zeros(len(generated.features))
    inside_generated = np.zeros(len(real.features), bool)
    closest = np.zeros(len(real.features))
    for rows, distances in distance_blocks(real.features, generated.features):
        inside_real += (distances < real.radii[rows, None]).sum(axis=0)
        inside_generated[rows] = (distances < generated.radii).any(axis=1)
        closest[rows] = distances.min(axis=1)
    return Prdc(
        precision=float((inside_real > 0).mean()),
        recall=float(inside_generated.mean()),
        density=float(inside_real.mean() / real.k),
        coverage=float((closest < real.radii).mean()),
    )
