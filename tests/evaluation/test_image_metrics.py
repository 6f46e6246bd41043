"""KID, precision and its kin, class KL and memorisation, against references and analysis."""

import io
from contextlib import redirect_stdout

import numpy as np
import prdc as reference_prdc
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.image.kid import poly_mmd

from genline.evaluation.class_kl import class_kl, class_shares
from genline.evaluation.kernel import kernel_distance
from genline.evaluation.memorisation import Unseen
from genline.evaluation.neighbours import distance_blocks, nearest, radii
from genline.evaluation.prdc import manifold, prdc


def points(seed: int, count: int, dimensions: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, dimensions))


@pytest.mark.parametrize("count", [50, 1500])  # one block of rows, and more than one
def test_kid_agrees_with_torchmetrics(count: int):
    x, y = points(1, count, 16), points(2, count, 16, shift=0.5)
    expected = float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y)))
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-8)


def test_kid_of_two_points_each_is_the_formula_by_hand():
    x, y = np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]])
    within = (1 * 2 + 1) ** 3 + (0 * 3 + 1) ** 3
    between = np.mean([1**3, (3 + 1) ** 3, 1**3, (6 + 1) ** 3])
    assert kernel_distance(x, y) == pytest.approx(within - 2 * between, rel=1e-12)


def test_kid_has_no_bias_in_the_count():
    small = [kernel_distance(points(2 * i, 20, 4), points(2 * i + 1, 20, 4)) for i in range(400)]
    assert abs(np.mean(small)) < 3 * np.std(small) / np.sqrt(len(small))
    assert min(small) < 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(7, 60), st.integers(7, 60), st.integers(1, 5))
def test_precision_recall_density_and_coverage_agree_with_prdc(seed: int, n: int, m: int, k: int):
    real, generated = points(seed, n, 4), points(seed + 1, m, 4, shift=0.7)
    with redirect_stdout(io.StringIO()):
        expected = reference_prdc.compute_prdc(real, generated, nearest_k=k)
    found = prdc(manifold(real, k), manifold(generated, k))
    assert vars(found) == pytest.approx(expected, rel=1e-8)


def test_a_dropped_half_costs_recall_and_coverage_but_no_precision():
    left, right = points(1, 200, 3, shift=-20.0), points(2, 200, 3, shift=20.0)
    found = prdc(manifold(np.concatenate([left, right])), manifold(points(3, 400, 3, shift=-20.0)))
    assert found.precision > 0.9
    assert found.recall <= 0.5
    assert found.coverage <= 0.5


def test_blocks_are_the_same_distances():
    x, y = points(1, 37, 5), points(2, 23, 5)
    expected = np.linalg.norm(x[:, None] - y, axis=-1)
    for rows, distances in distance_blocks(x, y, block=10):
        assert distances == pytest.approx(expected[rows], rel=1e-9)
    assert nearest(x, y) == pytest.approx(expected.min(axis=1))


def test_radii_leave_the_point_itself_out():
    line = np.arange(6.0)[:, None]
    assert radii(line, 2) == pytest.approx([2, 1, 1, 1, 1, 2])


def test_class_kl_of_equal_histograms_is_zero():
    labels = np.array([0, 1, 1, 2])
    assert class_kl(labels, labels[::-1], 3) == pytest.approx(0)


def test_class_kl_of_a_dropped_class_tends_to_the_logarithm_of_what_is_left():
    real, generated = np.arange(100_000) % 10, np.arange(90_000) % 9
    assert class_kl(generated, real, 10) == pytest.approx(np.log(10 / 9), rel=1e-3)


def test_class_kl_is_finite_where_real_images_lack_a_class():
    value = class_kl(np.array([0, 1]), np.array([0, 0]), 2)
    expected = 0.5 * np.log(0.5 / (2.5 / 3)) + 0.5 * np.log(0.5 / (0.5 / 3))
    assert value == pytest.approx(expected)


def test_class_shares_count_classes_that_do_not_occur():
    assert class_shares(np.array([0, 2, 2, 2]), 4) == pytest.approx([0.25, 0, 0.75, 0])


def test_copies_have_memorisation_ratio_zero_and_unseen_data_about_one():
    train, test, fresh = (points(seed, 500, 4) for seed in range(3))
    unseen = Unseen(nearest(test, train))
    assert unseen.ratio(nearest(train[:100], train)) == pytest.approx(0, abs=1e-6)
    assert unseen.ratio(nearest(fresh, train)) == pytest.approx(1, abs=0.15)


def test_copies_among_new_samples_are_counted_though_the_ratio_stays():
    train, test, fresh = (points(seed, 500, 4) for seed in range(3))
    unseen = Unseen(nearest(test, train))
    mixed = nearest(np.concatenate([train[:195], fresh[:305]]), train)
    assert unseen.ratio(mixed) > 0.55
    assert unseen.copied(mixed) == pytest.approx(0.39, abs=0.02)


def test_unseen_data_has_as_many_near_copies_as_its_floor_says():
    found, inside = [], 0
    for seed in range(0, 600, 3):
        train, test, fresh = (points(seed + i, 200, 2) for i in range(3))
        unseen = Unseen(nearest(test, train))
        floor = unseen.floor(200)
        assert floor.low is not None and floor.high is not None
        found.append(unseen.copied(nearest(fresh, train)) - floor.value)
        inside += floor.low <= found[-1] + floor.value <= floor.high
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))
    assert inside / len(found) >= 0.93


def test_test_images_that_are_copies_themselves_raise_the_floor_of_near_copies():
    train = points(0, 500, 4)
    unseen = Unseen(nearest(np.concatenate([train[:50], points(1, 450, 4)]), train))
    assert unseen.floor(500).value == pytest.approx(0.1, abs=0.001)
    assert unseen.copied(nearest(train, train)) == 1.0
