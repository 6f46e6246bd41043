"""Mixtures of Gaussians fitted to the aggregate posterior; Ghosh et al. 2020, section 4."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Latents = npt.NDArray[np.float64]


class GaussianMixture(nn.Module):
    """A mixture of full-covariance Gaussians in latent space, stored with the weights.

    Its buffers have room for ``capacity`` components, since the number is chosen after training;
    those not used have weight 0. Unfitted, it is N(0, I).
    """

    weights: Tensor  # (capacity,), summing to 1
    means: Tensor  # (capacity, latent)
    factors: Tensor  # (capacity, latent, latent): lower Cholesky factors of the covariances

    def __init__(self, capacity: int, latent: int) -> None:
        super().__init__()
        weights = torch.zeros(capacity)
        weights[0] = 1.0
        self.register_buffer("weights", weights)
        self.register_buffer("means", torch.zeros(capacity, latent))
        self.register_buffer("factors", torch.eye(latent).repeat(capacity, 1, 1))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """z from the mixture: float32 (count, latent), on the generator's device."""
        where = generator.device
        chosen = torch.multinomial(
            self.weights.to(where), count, replacement=True, generator=generator
        )
        noise = torch.randn(count, self.means.shape[1], generator=generator, device=where)
        factors = self.factors.to(where)[chosen]
        return self.means.to(where)[chosen] + torch.einsum("nij,nj->ni", factors, noise)

    def take(self, weights: Latents, means: Latents, covariances: Latents) -> None:
        """Take a fitted mixture of at most ``capacity`` components."""
        used = len(weights)
        self.weights.zero_()
        self.weights[:used] = torch.as_tensor(weights)
        self.means[:used] = torch.as_tensor(means)
        self.factors[:used] = torch.as_tensor(np.linalg.cholesky(covariances))


class ClassMixtures(nn.Module):
    """A mixture for each class: given a label, latents need not lie as they do over all."""

    def __init__(self, classes: int, capacity: int, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.of_class = nn.ModuleList([GaussianMixture(capacity, latent) for _ in range(classes)])

    def draw(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """z of each label: float32 (len(labels), latent), on the generator's device."""
        z = torch.empty(len(labels), self.latent, device=generator.device)
        for label, mixture in enumerate(self.of_class):
            (places,) = torch.nonzero(labels == label, as_tuple=True)
            if len(places):
                assert isinstance(mixture, GaussianMixture)
                z[places] = mixture.draw(len(places), generator)
        return z


def fit_mixture(
    mixture: GaussianMixture,
    train: Latents,
    held_out: Latents,
    components: Sequence[int],
    regularisation: float,
    seed: int,
) -> dict[int, float]:
    """Fit one mixture for each number in ``components`` and give ``mixture`` the best.

    ``train`` and ``held_out`` are draws from the posteriors of other images, (n, latent). The
    best has the largest mean log-density on ``held_out``; the densities are returned, in nats.
    A number larger than the number of training draws is cut to it. With nothing held out, the
    least number is taken, since no other has anything to show for itself.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as Fitted
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    numbers = sorted({min(c, len(train)) for c in components})
    if not len(held_out):
        numbers, held_out = numbers[:1], train
    densities: dict[int, float] = {}
    # One thread: scikit-learn's k-means adds up partial sums in the order its threads finish.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for number in numbers:
            fitted = Fitted(
                number, reg_covar=regularisation, max_iter=200, random_state=seed % 2**32
            ).fit(train)
            densities[number] = float(fitted.score(held_out))
            if densities[number] == max(densities.values()):
                mixture.take(fitted.weights_, fitted.means_, fitted.covariances_)
    return densities
