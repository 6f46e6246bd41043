"""Adversarial losses and the gradient penalty, as functions of discriminator logits.

Another loss is another entry of ``OBJECTIVES``. ``real`` and ``fake`` are logits (batch,); each
function gives a 0-d tensor, the mean over the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Objective(NamedTuple):
    """What the discriminator minimises, given real and fake, and the generator, given fake."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def logistic_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy of real against fake: Goodfellow et al. 2014, equation 1."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def non_saturating_generator_loss(fake: Tensor) -> Tensor:
    """−log D(G(z)): Goodfellow et al. 2014, section 3."""
    return functional.softplus(-fake).mean()


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Lim & Ye 2017, equation 3; Miyato et al. 2018, equation 16."""
    return functional.relu(1.0 - real).mean() + functional.relu(1.0 + fake).mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """−D(G(z)): Miyato et al. 2018, equation 17."""
    return -fake.mean()


OBJECTIVES: dict[str, Objective] = {
    "non_saturating": Objective(logistic_discriminator_loss, non_saturating_generator_loss),
    "hinge": Objective(hinge_discriminator_loss, hinge_generator_loss),
}


def squared_gradient(discriminator: nn.Module, real: Tensor) -> Tensor:
    """E‖∇ₓ D(x)‖² over real images: R1 is γ/2 times it (Mescheder et al. 2018, equation 9).

    Differentiable in the discriminator's weights.
    """
    inputs = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(inputs).sum(), inputs, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
