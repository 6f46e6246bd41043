"""The standard error of a Fréchet distance, over the samples and over the real items alike.

Delete-a-group jackknife (Shao and Tu, 1995, section 2.3). A bootstrap
would need more distances, and its resamples, with fewer distinct items, would all lie further
away than the items do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genline.evaluation.frechet import Gaussian, frechet_between, gaussian
from genline.evaluation.intervals import combined_error, jackknife_error, leave_out

GROUPS = 25

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RealItems:
    """What samples are compared with: features float64 (n, d), n ≥ 3."""

    features: Floats
    groups: int = GROUPS

    @cached_property
    def moments(self) -> Gaussian:
        return gaussian(self.features)

    @cached_property
    def left_out(self) -> list[Gaussian]:
        """The moments with each group of items left out."""
        return without_groups(self.features, self.groups)

    def distance(self, features: npt.ArrayLike) -> float:
        """The Fréchet distance of ``features`` (m, d) from the real items."""
        return frechet_between(gaussian(features), self.moments)

    def distances_left_out(self, features: npt.ArrayLike) -> Floats:
        """The distance with each group of real items left out, (groups,).

        Two models compared with the same items have the same groups, so the error of their
        difference is the jackknife's of the difference of these.
        """
        sample = gaussian(features)
        return np.array([frechet_between(sample, real) for real in self.left_out])

    def sample_error(self, features: Floats) -> float:
        """The standard error over samples alone, (m, d), m ≥ 3; the real items stay."""
        parts = without_groups(features, self.groups)
        return jackknife_error([frechet_between(part, self.moments) for part in parts])


@dataclass(frozen=True)
class Distance:
    """A Fréchet distance; ``left_out`` has it with each group of real items left out."""

    value: float
    left_out: tuple[float, ...]
    sample_error: float

    @property
    def standard_error(self) -> float:
        """Of both draws, the samples' and the real items', which are independent."""
        return combined_error(self.sample_error, jackknife_error(self.left_out))


def jackknifed_distance(features: Floats, real: RealItems) -> Distance:
    """The distance of ``features`` (m, d), m ≥ 3, from ``real`` and its errors."""
    left_out = tuple(real.distances_left_out(features).tolist())
    return Distance(real.distance(features), left_out, real.sample_error(features))


def without_groups(features: Floats, groups: int) -> list[Gaussian]:
    """The moments of ``features`` (n, d) with each of ``groups`` groups left out."""
    return [gaussian(features[kept]) for kept in leave_out(len(features), groups)]
