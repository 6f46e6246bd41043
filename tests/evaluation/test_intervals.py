import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.evaluation.frechet import frechet_between, gaussian
from genline.evaluation.intervals import (
    Error,
    bootstrap_mean,
    bootstrap_statistic,
    combined,
    jackknife_error,
    jackknifed,
    leave_out,
    paired_bootstrap,
    percentiles,
    prediction,
    student,
)


def test_the_interval_of_a_mean_is_the_normal_one_for_many_values():
    values = np.random.default_rng(1).normal(3.0, 2.0, 4000)
    found = bootstrap_mean(values, np.random.default_rng(2), resamples=4000)
    error = values.std() / np.sqrt(len(values))
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert found.standard_error == pytest.approx(error, rel=0.04)


def test_the_interval_covers_the_truth_nineteen_times_in_twenty():
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        found = bootstrap_mean(random.exponential(1.0, 200), random, resamples=200)
        covered += found.low <= 1.0 <= found.high
    assert 0.89 <= covered / 300 <= 0.98


@given(st.floats(-1e6, 1e6), st.integers(1, 50))
def test_equal_values_have_an_interval_of_no_width(value: float, count: int):
    found = bootstrap_mean([value] * count, np.random.default_rng(0), resamples=20)
    assert found.low == found.high == pytest.approx(value)
    assert found.standard_error == pytest.approx(0, abs=1e-6)


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
        found = prediction(row[:20])
        inside += found.low <= row[20] <= found.high
    assert inside / len(draws) == pytest.approx(0.95, abs=0.012)


def test_cutting_an_interval_to_the_possible_leaves_its_standard_error():
    found = Error(0.1).around(0.01).within(0.0, 1.0)
    assert (found.low, found.standard_error) == (0.0, 0.1)
    assert found.high == pytest.approx(0.01 + 1.959964 * 0.1)


def test_students_interval_is_the_tables():
    assert student(0.0, 1.0, 24).high == pytest.approx(2.0639, abs=1e-4)
    assert student(0.0, 1.0, 9).low == pytest.approx(-2.2622, abs=1e-4)


def test_errors_of_independent_estimates_add_up_in_squares():
    assert combined(Error(3.0), Error(4.0)) == Error(5.0)


def test_equal_errors_add_their_degrees_of_freedom_and_a_small_one_hardly_counts():
    assert combined(Error(2.0, 9), Error(2.0, 9)).degrees == pytest.approx(18)
    assert combined(Error(2.0, 24), Error(0.01, 3)).degrees == pytest.approx(24, rel=1e-3)
    assert combined(Error(0.0, 9), Error(0.0, 9)).around(3.0).low == 3.0


@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.integers(1, 100)), min_size=1, max_size=4))
def test_together_errors_have_no_fewer_degrees_than_the_fewest(parts: list[tuple[float, int]]):
    found = combined(*(Error(*part) for part in parts)).degrees
    least, most = min(d for _, d in parts), sum(d for _, d in parts)
    assert least * (1 - 1e-9) <= found <= most * (1 + 1e-9)


def test_the_interval_from_ten_groups_covers_the_truth_as_often_as_said():
    random = np.random.default_rng(6)
    groups, known = random.normal(2.0, 1.0, (3000, 10)), 0
    for row in groups:
        spread = jackknifed([(row.sum() - x) / 9 for x in row]).around(row.mean())
        known += spread.low <= 2.0 <= spread.high
    assert known / len(groups) == pytest.approx(0.95, abs=0.013)  # ± 1.96 would cover 91.8 %


def test_subsets_of_one_split_tell_where_a_fresh_set_lies():
    """The Fréchet distance of Gaussian items; 15 subsets of 200 of a split of 450."""
    random = np.random.default_rng(7)
    real = gaussian(random.normal(0, 1, (200, 3)))

    def distance(features: np.ndarray) -> float:
        return frechet_between(gaussian(features), real)

    inside = {0.0: 0, 200 / 450: 0}
    for _ in range(400):
        split = random.normal(0, 1, (450, 3))
        chosen = [random.permutation(450)[:200] for _ in range(15)]
        subsets = np.array([distance(split[some]) for some in chosen])
        fresh = distance(random.normal(0, 1, (200, 3)))
        for shared in inside:
            found = prediction(subsets, shared)
            inside[shared] += found.low <= fresh <= found.high
    assert inside[200 / 450] / 400 == pytest.approx(0.95, abs=0.03)
    assert inside[0.0] / 400 < 0.88


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_paired_error_is_that_of_correlated_normals(correlation: float):
    # var(x̄ − ȳ) = (σ² + σ² − 2ρσ²) / n with σ = 2.
    count = 3000
    covariance = 4 * np.array([[1, correlation], [correlation, 1]])
    x, y = np.random.default_rng(1).multivariate_normal([5, 4], covariance, count).T
    found = paired_bootstrap(
        lambda chosen: float(x[chosen].mean()),
        lambda chosen: float(y[chosen].mean()),
        count,
        np.random.default_rng(2),
    )
    wanted = np.sqrt(8 * (1 - correlation) / count)
    assert found.standard_error == pytest.approx(wanted, rel=0.08)
    centre = x.mean() - y.mean()
    assert found.high - centre == pytest.approx(1.96 * wanted, rel=0.15)


def test_the_paired_interval_holds_no_difference_as_often_as_it_says():
    random = np.random.default_rng(4)
    held = 0
    for _ in range(300):
        common, x, y = random.normal(size=(3, 150))
        first, second = common + 0.2 * x, common + 0.2 * y
        found = paired_bootstrap(
            lambda chosen, a=first: float(a[chosen].mean()),
            lambda chosen, b=second: float(b[chosen].mean()),
            150,
            random,
            resamples=300,
        )
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / 300 <= 0.98


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40))
def test_the_jackknife_of_a_mean_is_the_textbook_error(values: list[float]):
    array = np.array(values)
    left = [array[kept].mean() for kept in leave_out(len(array), len(array))]
    wanted = array.std(ddof=1) / np.sqrt(len(array))
    assert jackknife_error(left) == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_deleting_groups_has_the_same_error_on_average():
    random = np.random.default_rng(5)
    errors = []
    for _ in range(300):
        values = random.normal(0, 3, 200)
        errors.append(jackknife_error([values[kept].mean() for kept in leave_out(200, 10)]))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(3 / np.sqrt(200), rel=0.06)


@given(st.integers(2, 60), st.integers(2, 30))
def test_every_item_is_left_out_once_and_alike_each_time(count: int, groups: int):
    kept = list(leave_out(count, groups))
    assert len(kept) == min(count, groups)
    left = np.concatenate([np.setdiff1d(np.arange(count), part) for part in kept])
    assert sorted(left) == list(range(count))
    again = leave_out(count, groups)
    assert all(np.array_equal(a, b) for a, b in zip(kept, again, strict=True))


def test_neighbours_are_not_left_out_together():
    # Items in the order of their value: runs of neighbours would give many times the error.
    values = np.arange(400.0)
    left = [values[kept].mean() for kept in leave_out(400, 20)]
    assert jackknife_error(left) == pytest.approx(values.std() / 20, rel=0.5)


def test_comparing_stored_figures_imports_nothing_heavy():
    code = (
        "import sys, genline.evaluation.comparison, genline.tracking.gate\n"
        "import genline.reporting.verdict\n"
        "print([m for m in ('torch', 'scipy', 'mlflow', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
