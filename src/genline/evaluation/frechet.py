"""The Fréchet distance between two sets of features, each taken as a Gaussian.

With image features it is FID (Heusel et al., 2017, equation 6); with those of a text encoder, the
Fréchet embedding distance (Semeniuta et al., 2018, section 3). Its bias falls as 1/n with a
factor that depends on the model, so only values at equal counts may be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import linalg

from genline.core.arrays import Floats

_LARGE = 512  # dimensions from which it pays to import torch and to spare copies


@dataclass(frozen=True)
class Gaussian:
    """mean: float64 (d,); centred: float64 (n, d), the features less their mean."""

    mean: Floats
    centred: Floats

    @cached_property
    def covariance(self) -> Floats:
        """The unbiased covariance, float64 (d, d)."""
        covariance: Floats = self.centred.T @ self.centred / (len(self.centred) - 1)
        return covariance


def gaussian(features: npt.ArrayLike) -> Gaussian:
    """The moments of ``features`` (n, d), n ≥ 2, in two passes.

    Centred before it is squared: E[xxᵀ] − μμᵀ loses its digits when the mean is large.
    """
    array = np.asarray(features, np.float64)
    mean = array.mean(axis=0)
    return Gaussian(mean, array - mean)


def frechet_distance(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) for features x (n, d) and y (m, d), n, m ≥ 2."""
    return frechet_between(gaussian(x), gaussian(y))


def frechet_between(x: Gaussian, y: Gaussian) -> float:
    """The Fréchet distance of two sets whose moments are known; never below zero."""
    shift = x.mean - y.mean
    spread = _trace(x) + _trace(y) - 2 * trace_of_root(x, y)
    return max(0.0, float(shift @ shift + spread))


def trace_of_root(x: Gaussian, y: Gaussian) -> float:
    """tr (Σ₁Σ₂)^½ without a matrix square root.

    With Σ₁ = LLᵀ the eigenvalues of Σ₁Σ₂ are those of the symmetric LᵀΣ₂L. A covariance without
    full rank has no Cholesky factor; then the same trace is the sum of the singular values of
    X_c Y_cᵀ / √((n − 1)(m − 1)), taken through triangular factors when there are more samples
    than dimensions.
    """
    dimensions = x.centred.shape[1]
    if min(len(x.centred), len(y.centred)) > dimensions:
        try:
            values = _spectrum(x.covariance, y.covariance)
            # Below this share of the largest, an eigenvalue has no correct digit and its root
            # would be far too large: singular values keep twice as many.
            if values[0] > 1e-10 * values[-1]:
                return float(np.sqrt(values).sum())
        except np.linalg.LinAlgError:
            pass
    product = _factor(x.centred) @ _factor(y.centred).T
    scale = np.sqrt((len(x.centred) - 1.0) * (len(y.centred) - 1.0))
    return float(linalg.svdvals(product).sum() / scale)


def _spectrum(first: Floats, second: Floats) -> Floats:
    """The eigenvalues of the product of two covariances (d, d), ascending.

    Raises LinAlgError if the first has no Cholesky factor.
    """
    if len(first) < _LARGE:
        factor = np.linalg.cholesky(first)
        small: Floats = np.linalg.eigvalsh(factor.T @ second @ factor)
        return small
    import torch

    # The LAPACK that comes with torch takes half the time of NumPy's, and a product with a
    # triangular factor half that of a full one.
    lower, failed = torch.linalg.cholesky_ex(torch.from_numpy(first))
    if failed:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    upper = lower.numpy().T
    half = linalg.blas.dtrmm(1.0, upper, second.T)
    both = linalg.blas.dtrmm(1.0, upper, half, side=1, trans_a=1, overwrite_b=1)
    large: Floats = torch.linalg.eigvalsh(torch.from_numpy(both.T)).numpy()
    return large


def _trace(moments: Gaussian) -> float:
    centred = moments.centred
    if centred.shape[1] < _LARGE:
        return float(np.square(centred).sum() / (len(centred) - 1))
    return float(np.vdot(centred, centred) / (len(centred) - 1))  # without a copy as large


def _factor(centred: Floats) -> Floats:
    """A matrix F with FᵀF = XᵀX and as few rows as can be."""
    if len(centred) <= centred.shape[1]:
        return centred
    (triangular,) = linalg.qr(centred, mode="r", check_finite=False)
    factor: Floats = triangular[: centred.shape[1]]
    return factor
