"""The standard error of a Fréchet distance, over the samples and over the real items alike.

Delete-a-group jackknife (Shao and Tu, 1995, section 2.3). A bootstrap
would need more distances, and its resamples, with fewer distinct items, would all lie further
away than the items do.

The error is biased where the count is not large beside the squared dimension, since the distance
is then far from linear in the items. By simulation with Gaussian features, the jackknife of the
real items' part alone is too large (d = 256, n = 1533: 0.162 for a true 0.110, +47 %), and that of
the difference of two unlike models was off either way at d = 64: 0.142 for a true 0.173, −18 %,
whose 95 % interval then covers about 90 %; 0.162 for 0.136, +19 %, with 1000 items a side. The sign
depends on the models, so no one factor would mend it; a difference that only just leaves out zero
is to be read with that in mind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genline.core.arrays import Floats
from genline.evaluation.frechet import Gaussian, frechet_between, gaussian
from genline.evaluation.intervals import Error, combined, jackknifed, leave_out

GROUPS = 25


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

    def sample_error(self, features: Floats) -> Error:
        """The standard error over samples alone, (m, d), m ≥ 3; the real items stay."""
        parts = without_groups(features, self.groups)
        return jackknifed([frechet_between(part, self.moments) for part in parts])


@dataclass(frozen=True)
class Distance:
    """A Fréchet distance; ``left_out`` has it with each group of real items left out."""

    value: float
    left_out: tuple[float, ...]
    sample_error: Error

    @property
    def error(self) -> Error:
        """Of both draws, the samples' and the real items', which are independent."""
        return combined(self.sample_error, jackknifed(self.left_out))


def jackknifed_distance(features: Floats, real: RealItems) -> Distance:
    """The distance of ``features`` (m, d), m ≥ 3, from ``real`` and its errors."""
    left_out = tuple(real.distances_left_out(features).tolist())
    return Distance(real.distance(features), left_out, real.sample_error(features))


def without_groups(features: Floats, groups: int) -> list[Gaussian]:
    """The moments of ``features`` (n, d) with each of ``groups`` groups left out."""
    return [gaussian(features[kept]) for kept in leave_out(len(features), groups)]
