"""Whether samples of texts have lost their variety; the other checks are those of any data."""

from __future__ import annotations

from genline.evaluation.record import Check, Metric


def low_variety(distinct: Metric, least: float) -> Check:
    """Whether the samples have nearly as many distinct n-grams as real texts do.

    ``distinct`` is the share of distinct n-grams and its floor that of as many real texts; fails
    below ``least`` of the floor.
    """
    relative = distinct.value / distinct.floor if distinct.floor else 1.0
    title = distinct.title.lower()
    figures = f"{title} are {relative:.0%} of those of real texts (at least {least:.0%})"
    passed = relative >= least
    return Check(passed, figures if passed else f"the samples lack variety: {figures}")
