"""What holds a discriminator's gradients, and what gives a generator more to go by.

Each gives a 0-d tensor, differentiable in the weights. ``discriminator`` maps images
(batch, channels, height, width) to outputs (batch,), each of its own image alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Discriminate = Callable[[Tensor], Tensor]


def squared_gradient(discriminator: Discriminate, images: Tensor) -> Tensor:
    """E‖∇ₓ D(x)‖² over ``images``.

    R1 is γ/2 times it over real images (Mescheder et al. 2018, equation 9), R2 over generated
    ones (their equation 10).
    """
    return _gradient(discriminator, images).square().flatten(1).sum(1).mean()


def gradient_penalty(
    discriminator: Discriminate, real: Tensor, fake: Tensor, generator: torch.Generator
) -> Tensor:
    """E(‖∇ₓ D(x)‖ − 1)² on lines between real and generated images: Gulrajani et al. 2017, eq. 3.

    real and fake: (batch, …); where on its line each lies is drawn from ``generator``.
    """
    shape = (len(real), *[1] * (real.dim() - 1))
    along = torch.rand(shape, generator=generator, device=real.device)
    between = torch.lerp(real.detach(), fake.detach(), along)
    gradient = _gradient(discriminator, between).flatten(1)
    # A root has no slope at 0, where a network without any slope stands.
    norms = gradient.square().sum(1).add(1e-12).sqrt()
    return (norms - 1.0).square().mean()


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """‖E f(x) − E f(G(z))‖² of a discriminator's features: Salimans et al. 2016, section 3.1.

    real and fake: (batch, features); real counts as given.
    """
    return (real.detach().mean(0) - fake.mean(0)).square().sum()


@torch.no_grad()
def clip_weights(network: nn.Module, limit: float) -> None:
    """Every parameter into [−limit, limit], in place: Arjovsky et al. 2017, algorithm 1."""
    parameters: list[Tensor] = list(network.parameters())
    torch._foreach_clamp_min_(parameters, -limit)
    torch._foreach_clamp_max_(parameters, limit)


def _gradient(discriminator: Discriminate, images: Tensor) -> Tensor:
    inputs = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(inputs).sum(), inputs, create_graph=True)
    return gradient
