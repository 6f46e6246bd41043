"""Dropout whose mask comes from a generator that the caller passes down."""

from __future__ import annotations

import torch
from torch import Tensor


def dropout(x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Zero each element with probability ``p`` and scale the rest by 1 / (1 − p).

    ``generator`` None means evaluation: x is returned as it is. torch's own dropout draws from
    global state, which a resumed training could not restore without touching other streams.
    Srivastava et al. 2014, section 10 (inverted form).
    """
    if generator is None or p == 0.0:
        return x
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= p
    return x * keep.to(x.dtype).mul_(1.0 / (1.0 - p))
