"""A point beside a curve, both with errors that are known."""

from typing import NamedTuple

import numpy as np
import pytest

from genline.evaluation.intervals import jackknife_error
from genline.evaluation.text.temperature_curve import Reading, against_curve


def left(value, error, groups=10, seed=0):
    """Values with a group left out whose jackknife error is ``error``."""
    noise = np.random.default_rng(seed).normal(size=groups)
    noise = noise - noise.mean()
    return value + noise * (error / jackknife_error(noise) if error else 0)


def reading(x, y, *, dx=0.0, dy=0.0, texts=0.0, seed=0):
    return Reading(
        x, y, left(x, dx, seed=seed), left(y, dy, seed=seed + 1), left(y, texts, groups=25, seed=9)
    )


class Samples(NamedTuple):
    forward_perplexity: float
    reading: Reading


def against(*readings):
    own, *curve = (Samples(r.forward, r) for r in readings)
    return against_curve(own, curve, 100)


def test_the_difference_is_to_the_straight_line_between_two_points():
    found = against(reading(30, 140), reading(60, 120), reading(20, 160), reading(40, 130))
    assert found.value == pytest.approx(140 - 145)
    assert found.better == "lower"


def test_beyond_the_ends_nothing_is_said():
    curve = reading(20, 160), reading(40, 130)
    assert against(reading(10, 100), *curve) is None
    assert against(reading(70, 100), *curve) is None


def test_errors_of_the_point_and_of_the_curve_both_count():
    flat = reading(20, 150, dy=4.0), reading(40, 150, dy=4.0)
    found = against(reading(30, 140, dy=3.0), *flat)
    assert found.standard_error == pytest.approx(5.0)
    alone = against(reading(30, 140, dy=3.0), reading(20, 150), reading(40, 150))
    assert alone.standard_error == pytest.approx(3.0)


def test_an_error_along_the_curve_counts_by_its_slope():
    steep = reading(20, 160), reading(40, 120)  # −2 a unit
    assert against(reading(30, 130, dx=1.5), *steep).standard_error == pytest.approx(3.0)


def test_the_test_texts_are_shared_and_cancel():
    curve = reading(20, 150, texts=8.0), reading(40, 150, texts=8.0)
    assert against(reading(30, 140, texts=8.0), *curve).standard_error == pytest.approx(0, abs=1e-9)
