"""The maximum mean discrepancy of two sets of vectors, as a loss."""

from __future__ import annotations

import torch
from torch import Tensor

_WIDTHS = (0.25, 1.0, 4.0)  # of the kernels, in mean squared distances


def squared_discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """MMD² of x (n, features) and y (m, features): Gretton et al. 2012, equation 5; 0 or more.

    Both are float32, and so is the arithmetic, whatever precision the caller trains in.

    The kernel is a mean of Gaussians of several widths (Li et al. 2015, section 5), scaled by the
    mean squared distance between x and y together, which is taken as a constant: a kernel is
    characteristic, so the discrepancy of two distributions is 0 only where they are equal.
    """
    both = torch.cat([x, y])
    norms = both.square().sum(1)
    # In half precision a product as large as the norms would drown the distance between them.
    with torch.autocast(x.device.type, enabled=False):
        squares = (norms[:, None] + norms - 2 * both @ both.T).clamp_min(0.0)
    scale = squares.detach().mean().clamp_min(1e-12)
    kernel = torch.stack([torch.exp(-squares / (2 * w * scale)) for w in _WIDTHS]).mean(0)
    n = len(x)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
