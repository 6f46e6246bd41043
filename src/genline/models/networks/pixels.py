"""Between grey levels as stored and the range that networks see."""

from __future__ import annotations

import torch
from torch import Tensor


def normalise(levels_image: Tensor, levels: int) -> Tensor:
    """Grey levels 0..levels−1, any integer type, to float32 2·x/(levels−1) − 1 in [−1, 1]."""
    return levels_image.float().mul_(2.0 / (levels - 1)).sub_(1.0)


def quantise(values: Tensor, levels: int) -> Tensor:
    """Floats to uint8 grey levels, the nearest to each by the *fixed* range [−1, 1].

    A range taken from the sample or the batch would flatter a generator that misses contrast.
    """
    scaled = values.float().add(1.0).mul_((levels - 1) / 2.0)
    return scaled.round_().clamp_(0, levels - 1).to(torch.uint8)
