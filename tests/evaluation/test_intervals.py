import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.evaluation.intervals import (
    bootstrap_mean,
    bootstrap_statistic,
    percentiles,
    prediction,
)


def test_the_interval_of_a_mean_is_the_normal_one_for_many_values():
    values = np.random.default_rng(1).normal(3.0, 2.0, 4000)
    low, high = bootstrap_mean(values, np.random.default_rng(2), resamples=4000)
    error = values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_the_interval_covers_the_truth_nineteen_times_in_twenty():
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        low, high = bootstrap_mean(random.exponential(1.0, 200), random, resamples=200)
        covered += low <= 1.0 <= high
    assert 0.89 <= covered / 300 <= 0.98


@given(st.floats(-1e6, 1e6), st.integers(1, 50))
def test_equal_values_have_an_interval_of_no_width(value: float, count: int):
    low, high = bootstrap_mean([value] * count, np.random.default_rng(0), resamples=20)
    assert low == high == pytest.approx(value)


def test_a_resample_has_as_many_items_drawn_with_replacement():
    seen = []
    bootstrap_statistic(
        lambda chosen: float(seen.append(chosen) or 0), 40, np.random.default_rng(0), resamples=5
    )
    assert all(len(s) == 40 and s.min() >= 0 and s.max() < 40 for s in seen)
    assert all(len(np.unique(s)) < 40 for s in seen)


def test_percentiles_leave_the_same_share_out_at_both_ends():
    assert percentiles(np.arange(101.0), confidence=0.9) == pytest.approx((5.0, 95.0))


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(30.0)
    first, second = (bootstrap_mean(values, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_one_more_draw_lies_in_its_prediction_interval_as_often_as_said():
    random = np.random.default_rng(0)
    draws = random.normal(3.0, 2.0, (4000, 21))
    inside = 0
    for row in draws:
        low, high = prediction(row[:20])
        inside += low <= row[20] <= high
    assert inside / len(draws) == pytest.approx(0.95, abs=0.012)
