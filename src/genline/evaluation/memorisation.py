"""Whether a model copies: how near its samples come to training images, against unseen ones.

Two figures. The ratio of mean distances sees a model all of whose samples are a little too near;
copies among new samples it hardly sees. The share of near copies does: samples that lie no further
from a training image than the nearest hundredth of unseen images do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genline.core.arrays import Floats
from genline.evaluation.record import Floor

NEAREST = 0.01  # share of the unseen images that are called near
_SAME = 1e-4  # the same image embedded in another batch may be so far away


@dataclass(frozen=True)
class Unseen:
    """The distance of n held-out images to the nearest training image, each: ``distances`` (n,)."""

    distances: Floats

    def ratio(self, distances: Floats) -> float:
        """The mean of samples' ``distances`` (m,) to the nearest training image, over these' mean.

        Near 1 for samples as new as held-out images are, 0 for copies; infinite where every
        held-out image is itself a copy.
        """
        unseen = float(self.distances.mean())
        return float(distances.mean()) / unseen if unseen > 0 else float("inf")

    @property
    def near(self) -> float:
        """The distance that one held-out image in a hundred, and at least one, does not exceed."""
        kth = max(1, round(NEAREST * len(self.distances)))
        return max(_SAME, float(np.partition(self.distances, kth - 1)[kth - 1]))

    def copied(self, distances: Floats) -> float:
        """The share of samples' ``distances`` (m,) to the nearest training image that are near."""
        return float((distances <= self.near).mean())

    def floor(self, count: int) -> Floor:
        """``copied`` of ``count`` unseen images: about 1 %, and its 95 % interval.

        Of one more image the chance to lie below the k-th smallest of n distances is k/(n + 1), and
        of ``count`` of them the number that do is beta-binomial with k and n − k + 1, whatever the
        distribution (David and Nagaraja, 2003, section 7.3).
        """
        from scipy.stats import betabinom

        n = len(self.distances)
        k = int((self.distances <= self.near).sum())
        low, high = betabinom.ppf([0.025, 0.975], count, k, n - k + 1) / count
        return Floor(k / (n + 1), float(low), float(high))
