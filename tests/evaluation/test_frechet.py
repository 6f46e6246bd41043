import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg
from torchmetrics.image.fid import _compute_fid

from genline.evaluation.frechet import frechet_distance


def by_matrix_root(x: np.ndarray, y: np.ndarray) -> float:
    """The textbook formula with scipy's matrix square root, as pytorch-fid and clean-fid do."""
    first, second = np.cov(x.T), np.cov(y.T)
    shift = x.mean(0) - y.mean(0)
    root = linalg.sqrtm(first @ second).real
    return float(shift @ shift + np.trace(first + second - 2 * root))


def features(seed: int, count: int, dimensions: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(dimensions, dimensions))
    return random.normal(size=(count, dimensions)) @ mixing + random.normal(size=dimensions)


@pytest.mark.parametrize(
    ("n", "m", "d"), [(500, 400, 64), (100, 90, 8), (70, 2000, 64), (600, 640, 520)]
)
def test_it_agrees_with_the_matrix_square_root(n: int, m: int, d: int):
    x, y = features(1, n, d), features(2, m, d)
    assert frechet_distance(x, y) == pytest.approx(by_matrix_root(x, y), rel=1e-8)


def test_it_agrees_with_torchmetrics():
    x, y = features(3, 400, 32), features(4, 300, 32)
    moments = [torch.from_numpy(np.asarray(v)) for z in (x, y) for v in (z.mean(0), np.cov(z.T))]
    assert frechet_distance(x, y) == pytest.approx(float(_compute_fid(*moments)), rel=1e-8)


def exactly(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """2d points with exactly this mean and this unbiased covariance."""
    d = len(mean)
    root = np.linalg.cholesky(covariance) * np.sqrt((2 * d - 1) / 2)
    return mean + np.concatenate([root.T, -root.T])


def test_one_dimension_is_the_formula_of_two_normal_distributions():
    x = exactly(np.array([1.0]), np.array([[4.0]]))
    y = exactly(np.array([3.5]), np.array([[9.0]]))
    assert frechet_distance(x, y) == pytest.approx((3.5 - 1.0) ** 2 + (3.0 - 2.0) ** 2, rel=1e-12)


def test_covariances_that_commute_differ_by_their_axes():
    first, second = np.array([1.0, 4.0, 9.0]), np.array([16.0, 1.0, 9.0])
    x, y = exactly(np.zeros(3), np.diag(first)), exactly(np.ones(3), np.diag(second))
    expected = 3.0 + np.square(np.sqrt(first) - np.sqrt(second)).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-10)


def test_fewer_samples_than_dimensions_are_exact():
    """Embedded in a larger space, the same points have the same distance."""
    x, y = features(5, 30, 10), features(6, 25, 10)
    basis, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(40, 10)))
    assert frechet_distance(x @ basis.T, y @ basis.T) == pytest.approx(
        by_matrix_root(x, y), rel=1e-8
    )


def test_a_dead_dimension_changes_nothing():
    x, y = features(8, 300, 16), features(9, 300, 16)
    wide = [np.concatenate([z, np.zeros((300, 2))], axis=1) for z in (x, y)]
    assert frechet_distance(*wide) == pytest.approx(by_matrix_root(x, y), rel=1e-8)


def test_a_large_mean_costs_no_digits():
    x, y = features(10, 300, 8), features(11, 300, 8)
    assert frechet_distance(x + 1e6, y + 1e6) == pytest.approx(frechet_distance(x, y), rel=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 40), st.integers(1, 20))
def test_it_is_symmetric_never_negative_and_zero_for_a_set_and_itself(
    seed: int, n: int, m: int, d: int
):
    x, y = features(seed, n, d), features(seed + 1, m, d)
    distance = frechet_distance(x, y)
    assert distance >= 0
    assert distance == pytest.approx(frechet_distance(y, x), rel=1e-6, abs=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8 * np.square(x).sum())
