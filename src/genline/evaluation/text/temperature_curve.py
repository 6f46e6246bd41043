"""A text GAN beside its control's curve of quality against variety.

A model that samples at a lower temperature trades variety for quality, so one pair of figures says
little: what counts is whether a GAN's pair lies outside the curve that its control draws over
temperatures (Caccia et al., 2020, "Language GANs falling short", section 4).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from genline.core.arrays import Floats
from genline.evaluation.intervals import combined, jackknifed
from genline.evaluation.record import Description, Metric

VERSUS_CURVE = Description(
    "Reverse perplexity at equal forward perplexity, difference",
    "lower",
    "Model less its control, where the control's temperature is such that their samples are as "
    "likely to the evaluator: below zero the model lies outside the curve that the control draws "
    "over temperatures, between whose points the curve is taken as straight.",
)


@dataclass(frozen=True)
class Reading:
    """Forward and reverse perplexity of a set of samples, and both with groups left out.

    ``forward_left`` and ``reverse_left``: (groups,), without each group of samples;
    ``reverse_left_texts``: (groups,), without each group of the test texts.
    """

    forward: float
    reverse: float
    forward_left: Floats
    reverse_left: Floats
    reverse_left_texts: Floats


class Point(Protocol):
    """A set of samples on the plane; its whole reading is asked of no more points than matter."""

    @property
    def forward_perplexity(self) -> float: ...

    @property
    def reading(self) -> Reading: ...


def against_curve(own: Point, curve: Sequence[Point], count: int) -> Metric | None:
    """How far ``own`` lies above the curve at its own forward perplexity; below zero is better.

    ``count``: samples of each. None where the curve does not reach that far. The error is
    jackknifed over the model's samples, over the control's, the same groups at both points since
    these may be drawn from the same random numbers, and over the test texts, the same groups for
    all.
    """
    points = sorted(curve, key=lambda point: point.forward_perplexity)
    for left, right in itertools.pairwise(points):
        x0, x1 = left.forward_perplexity, right.forward_perplexity
        if x0 <= own.forward_perplexity <= x1 and x0 < x1:
            return _difference(own.reading, left.reading, right.reading, count)
    return None


def _difference(own: Reading, left: Reading, right: Reading, count: int) -> Metric:
    def above(x: float | Floats, y: float | Floats, ends: Sequence[float | Floats]) -> Floats:
        x0, x1, y0, y1 = ends
        return np.asarray(y - (y0 + (x - x0) / (x1 - x0) * (y1 - y0)), np.float64)

    ends = (left.forward, right.forward, left.reverse, right.reverse)
    value = float(above(own.forward, own.reverse, ends))
    control = (left.forward_left, right.forward_left, left.reverse_left, right.reverse_left)
    texts = (left.forward, right.forward, left.reverse_left_texts, right.reverse_left_texts)
    error = combined(
        jackknifed(above(own.forward_left, own.reverse_left, ends)),
        jackknifed(above(own.forward, own.reverse, control)),
        jackknifed(above(own.forward, own.reverse_left_texts, texts)),
    )
    groups = len(own.forward_left)
    interval = (
        f"95 %, Student's t, jackknife over {groups} groups of the samples of either and "
        f"{len(own.reverse_left_texts)} of the test texts they share"
    )
    return VERSUS_CURVE.metric(value, error.around(value), count, interval)
