"""How much better one model is than another on the same test items, from what is on record.

Three cases, each with its own standard error of the difference:

- A likelihood figure is compared in pairs: the test items are drawn again a thousand times, and
  each resample is scored under both models, so that what makes an item hard for both cancels. Where
  a model can read only some of the items, both figures are of those.
- A Fréchet distance carries its values with groups of test items left out. The samples of two
  models are independent, the test items are the same, so the same group is left out of both.
- Any other figure is taken as independent of the other's. Both share the test items, whose part
  of the error is then counted twice instead of cancelling where it has the same sign in both.

The last two are Student's t, with the degrees of freedom that the errors on record combine to.

Cheap to import: numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from genline.core.errors import GenlineError
from genline.core.seeds import numpy_generator
from genline.evaluation.intervals import (
    Error,
    Spread,
    combined,
    jackknifed,
    paired_bootstrap,
)
from genline.evaluation.items import Items, column_of


class NotComparableError(GenlineError):
    """The records do not hold what a comparison needs: the message says what is missing."""


@dataclass(frozen=True)
class Figure:
    """One metric as recorded, at least ``value`` and ``standard_error``, and its model's items."""

    metric: Mapping[str, Any]
    items: Items | None = None


@dataclass(frozen=True)
class Difference:
    """First less second, its standard error and 95 % interval; ``method`` says how, in words.

    ``sides``: the two figures, which are not those on record where only some of the test items
    are scored on both sides.
    """

    sides: tuple[float, float]
    standard_error: float
    low: float
    high: float
    method: str

    @property
    def value(self) -> float:
        return self.sides[0] - self.sides[1]

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def difference(name: str, first: Figure, second: Figure) -> Difference:
    """The metric ``name`` of ``first`` less that of ``second``.

    Raises NotComparableError for a likelihood figure whose items are not on record on both
    sides, or are of other items, and for a figure without a standard error.
    """
    sides = float(first.metric["value"]), float(second.metric["value"])
    if column_of(name) is not None:
        spread, method, partial = _paired(name, first.items, second.items)
        sides = partial or sides
    else:
        spread, method = _unpaired(name, sides[0] - sides[1], first.metric, second.metric)
    return Difference(sides, spread.standard_error, spread.low, spread.high, method)


def difference_error(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Error, bool]:
    """The standard error of two figures' difference, and whether test items were left out alike.

    A figure's squared error is the sum of its samples' part and the test items' part, of which
    the latter is the jackknife's of ``left_out``.
    """
    errors = [_recorded(side) for side in (first, second)]
    left = [np.asarray(side.get("left_out", ()), np.float64) for side in (first, second)]
    if not len(left[0]) or len(left[0]) != len(left[1]):
        return combined(*errors), False
    samples = [
        _without(error, jackknifed(values)) for error, values in zip(errors, left, strict=True)
    ]
    return combined(*samples, jackknifed(left[0] - left[1])), True


def _recorded(side: Mapping[str, Any]) -> Error:
    degrees = side.get("degrees")
    return Error(float(side["standard_error"]), math.inf if degrees is None else float(degrees))


def _without(whole: Error, part: Error) -> Error:
    """What :func:`combined` was given beside ``part`` to make ``whole``; undoes its two sums."""
    size = math.sqrt(max(0.0, whole.size**2 - part.size**2))
    weight = whole.size**4 / whole.degrees - part.size**4 / part.degrees
    # Rounding leaves a little of either sign where nothing is left.
    return Error(size, max(1.0, size**4 / weight) if weight > 1e-12 * size**4 else math.inf)


def _paired(
    name: str, first: Items | None, second: Items | None
) -> tuple[Spread, str, tuple[float, float] | None]:
    """Also both figures of the items that both sides have, None where that is all of them."""
    if first is None or second is None:
        raise NotComparableError(f"one side has no {name} item by item")
    if not first.same_items(second):
        raise NotComparableError(f"the two sides have {name} of other test items")
    common = np.intersect1d(first.places, second.places)
    if not len(common):
        raise NotComparableError(f"no test item has {name} on both sides")
    statistics = [items.at(common).statistic(name) for items in (first, second)]
    mine, other = statistics
    if mine is None or other is None:
        raise NotComparableError(f"one side has no {name} item by item")
    random = numpy_generator(0, "paired", name)
    spread = paired_bootstrap(mine, other, len(common), random)
    if first.part is None and second.part is None:
        return spread, f"paired over {len(common):,} test items", None
    every = np.arange(len(common))
    words = f"paired over the {len(common):,} test items that both sides can read"
    return spread, words, (mine(every), other(every))


def _unpaired(
    name: str, value: float, first: Mapping[str, Any], second: Mapping[str, Any]
) -> tuple[Spread, str]:
    if "standard_error" not in first or "standard_error" not in second:
        raise NotComparableError(f"one side has no standard error of {name}")
    error, shared = difference_error(first, second)
    words = "test items shared" if shared else "the two taken as independent"
    return error.around(value), words
