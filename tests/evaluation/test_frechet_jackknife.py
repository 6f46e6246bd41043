"""The error of a Fréchet distance, and of a difference of two from the same real items."""

import math

import numpy as np
import pytest

from genline.evaluation.comparison import Figure, difference
from genline.evaluation.frechet import frechet_distance
from genline.evaluation.frechet_jackknife import RealItems, jackknifed_distance
from genline.evaluation.intervals import jackknife_error


def test_the_error_over_samples_is_the_spread_over_fresh_samples():
    random = np.random.default_rng(0)
    real = RealItems(random.normal(0, 1, (400, 6)))
    samples = [random.normal(0.3, 1.2, (300, 6)) for _ in range(60)]
    spread = np.std([frechet_distance(x, real.features) for x in samples])
    errors = [real.sample_error(x).size for x in samples]
    assert np.mean(errors) == pytest.approx(spread, rel=0.25)


def test_the_whole_error_is_the_spread_when_the_real_items_are_drawn_again_too():
    random = np.random.default_rng(1)
    values, errors = [], []
    for _ in range(80):
        real = RealItems(random.normal(0, 1, (200, 4)))
        found = jackknifed_distance(random.normal(0.3, 1.2, (300, 4)), real)
        values.append(found.value)
        errors.append(found.error.size)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)


def figure(features, real):
    found = jackknifed_distance(features, real)
    record = {
        "value": found.value,
        "standard_error": found.error.size,
        "degrees": found.error.degrees,
        "left_out": list(found.left_out),
    }
    return Figure(record)


def test_a_difference_from_the_same_real_items_has_the_error_it_shows():
    # Both models miss in the same direction, so the real items' noise is the same for both.
    random = np.random.default_rng(2)
    values, errors, apart = [], [], []
    for _ in range(80):
        real = RealItems(random.normal(0, 1, (150, 3)))
        first, second = (figure(random.normal(0.6, 1.0, (600, 3)), real) for _ in range(2))
        found = difference("fid", first, second)
        values.append(found.value)
        errors.append(found.standard_error)
        apart.append(math.hypot(first.metric["standard_error"], second.metric["standard_error"]))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)
    assert np.mean(apart) > 1.5 * np.std(values)


def test_two_models_with_the_same_samples_differ_by_nothing_but_their_draws():
    random = np.random.default_rng(3)
    real = RealItems(random.normal(0, 1, (100, 3)))
    same = figure(random.normal(0.5, 1, (200, 3)), real)
    found = difference("fid", same, same)
    samples = same.metric["standard_error"] ** 2 - jackknife_error(same.metric["left_out"]) ** 2
    assert found.value == 0
    assert found.standard_error == pytest.approx(np.sqrt(2 * samples))


def test_the_interval_of_a_difference_of_unlike_models_covers_it_at_moderate_counts():
    """One model is too narrow, the other shifted; the truth is the mean over fresh draws."""
    random = np.random.default_rng(4)
    found = []
    for _ in range(150):
        real = RealItems(random.normal(0, 1, (300, 12)))
        narrow = figure(random.normal(0.0, 0.9, (300, 12)), real)
        shifted = figure(random.normal(0.15, 1.0, (300, 12)), real)
        found.append(difference("fid", narrow, shifted))
    truth = np.mean([each.value for each in found])
    covered = np.mean([each.low <= truth <= each.high for each in found])
    assert 0.88 <= covered <= 0.995
