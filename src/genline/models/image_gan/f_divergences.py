"""f-divergences as adversarial losses: Nowozin et al. 2016 (f-GAN), tables 1, 2 and 6.

D_f(P‖Q) = Σ q f(p/q) ≥ E_P[T] − E_Q[f*(T)] for every T, with equality at T = f′(p/q). The
discriminator's logit v becomes T = g(v) by an activation that keeps T where f* is finite. Each
composition is written in v, where it cannot overflow through T.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Divergence(NamedTuple):
    """``statistic``: T = g(v); ``conjugate``: f*(g(v)); ``threshold``: the v where T = f′(1)."""

    statistic: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    threshold: float


def _kl() -> Divergence:
    """f(u) = u ln u: T = v, f*(T) = exp(T − 1)."""
    return Divergence(lambda v: v, lambda v: torch.exp(v - 1.0), 1.0)


def _reverse_kl() -> Divergence:
    """f(u) = −ln u: T = −exp(−v), f*(T) = −1 − ln(−T) = v − 1."""
    return Divergence(lambda v: -torch.exp(-v), lambda v: v - 1.0, 0.0)


def _jensen_shannon() -> Divergence:
    """f(u) = u ln u − (u + 1) ln((u + 1)/2): T = ln 2 − ln(1 + exp(−v)), f*(T) = −ln(2 − exp T).

    Twice the Jensen–Shannon divergence, and the value of the game of Goodfellow et al. 2014 but
    for a constant.
    """
    return Divergence(
        lambda v: math.log(2.0) - functional.softplus(-v),
        lambda v: functional.softplus(v) - math.log(2.0),
        0.0,
    )


def _pearson() -> Divergence:
    """f(u) = (u − 1)²: T = v, f*(T) = T²/4 + T."""
    return Divergence(lambda v: v, lambda v: 0.25 * v.square() + v, 0.0)


DIVERGENCES: dict[str, Divergence] = {
    "kl": _kl(),
    "reverse_kl": _reverse_kl(),
    "jensen_shannon": _jensen_shannon(),
    "pearson": _pearson(),
}


def lower_bound(divergence: Divergence, real: Tensor, fake: Tensor) -> Tensor:
    """E_P[T] − E_Q[f*(T)] of logits (batch,), nats where f is logarithmic: equation 4."""
    return divergence.statistic(real).mean() - divergence.conjugate(fake).mean()
