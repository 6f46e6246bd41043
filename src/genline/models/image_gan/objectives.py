"""Adversarial losses, as functions of a discriminator's outputs.

Another objective is another entry of ``OBJECTIVES``: a function from the training's parameters
to an :class:`Objective`. ``real`` and ``fake`` are outputs (batch,), larger for images taken as
real; each loss is a 0-d tensor, to be made smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from genline.models.image_gan.config import Train
from genline.models.image_gan.f_divergences import DIVERGENCES, lower_bound

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """What the two networks minimise, each given (real, fake).

    ``threshold`` is the output above which an image counts as taken for real; None where only
    differences of outputs mean something. ``paired``: the generator's loss reads ``real``, so
    it must be of the discriminator as it then is.
    """

    discriminator: Loss
    generator: Loss
    threshold: float | None = 0.0
    paired: bool = False

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """The share of images told apart; of pairs put in order where there is no threshold."""
        if self.threshold is None:
            return (real > fake).float().mean()
        told = (real > self.threshold).float().mean() + (fake < self.threshold).float().mean()
        return 0.5 * told


def _logistic(real: Tensor, fake: Tensor) -> Tensor:
    """−E log D(x) − E log(1 − D(G(z))) of logits: Goodfellow et al. 2014, equation 1."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax(train: Train) -> Objective:
    """The generator minimises E log(1 − D(G(z))): Goodfellow et al. 2014, equation 1."""
    return Objective(_logistic, lambda real, fake: -softplus(fake).mean())


def non_saturating(train: Train) -> Objective:
    """The generator minimises −E log D(G(z)): Goodfellow et al. 2014, section 3."""
    return Objective(_logistic, lambda real, fake: softplus(-fake).mean())


def hinge(train: Train) -> Objective:
    """Lim & Ye 2017, equation 3; Miyato et al. 2018, equations 16 and 17."""
    return Objective(
        lambda real, fake: relu(1.0 - real).mean() + relu(1.0 + fake).mean(),
        lambda real, fake: -fake.mean(),
    )


def least_squares(train: Train) -> Objective:
    """Mao et al. 2017, equation 9: real images to 1, generated ones to 0, the generator's to 1."""
    return Objective(
        lambda real, fake: 0.5 * ((real - 1.0).square().mean() + fake.square().mean()),
        lambda real, fake: 0.5 * (fake - 1.0).square().mean(),
        threshold=0.5,
    )


def wasserstein(train: Train) -> Objective:
    """Arjovsky et al. 2017, equations 2 and 3: the critic maximises E f(x) − E f(G(z)).

    Right only for a critic of slope at most 1: by clipping its weights (their algorithm 1), or
    by a gradient penalty (Gulrajani et al. 2017).
    """
    return Objective(
        lambda real, fake: fake.mean() - real.mean(),
        lambda real, fake: -fake.mean(),
        threshold=None,
    )


def relativistic(train: Train) -> Objective:
    """Each generated image against a real one: Huang et al. 2024 (R3GAN), equation 2.

    The relativistic pairing loss of Jolicoeur-Martineau 2019; with ``r1_gamma`` and ``r2_gamma``
    it is R3, whose local convergence their section 2.2 proves.
    """
    return Objective(
        lambda real, fake: softplus(fake - real).mean(),
        lambda real, fake: softplus(real - fake).mean(),
        threshold=None,
        paired=True,
    )


def f_divergence(train: Train) -> Objective:
    """A bound of an f-divergence, maximised: Nowozin et al. 2016, equation 4.

    The generator maximises E[T] on its images, their equation 8: near the data it has the same
    direction as lowering the bound, and far from it does not vanish.
    """
    divergence = DIVERGENCES[train.divergence]
    return Objective(
        lambda real, fake: -lower_bound(divergence, real, fake),
        lambda real, fake: -divergence.statistic(fake).mean(),
        threshold=divergence.threshold,
    )


def energy(train: Train) -> Objective:
    """Low energy for real images, ``margin`` or more for others: Zhao et al. 2017, equations 1, 2.

    An output is minus an energy: minus an autoencoder's error.
    """
    return Objective(
        lambda real, fake: -real.mean() + relu(train.margin + fake).mean(),
        lambda real, fake: -fake.mean(),
        threshold=None,
    )


def infogan(train: Train) -> Objective:
    """The non-saturating game; the information of the codes is added to both losses.

    Chen et al. 2016, equation 6; the term is :func:`genline.models.image_gan.codes.information`.
    """
    return non_saturating(train)


OBJECTIVES: dict[str, Callable[[Train], Objective]] = {
    "minimax": minimax,
    "non_saturating": non_saturating,
    "hinge": hinge,
    "least_squares": least_squares,
    "wasserstein": wasserstein,
    "relativistic": relativistic,
    "f_divergence": f_divergence,
    "energy": energy,
    "infogan": infogan,
}
