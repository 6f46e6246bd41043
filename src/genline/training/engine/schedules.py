"""Rates and weights as functions of the step: a resumed run needs no scheduler state."""

from __future__ import annotations

import math


def cosine(step: int, steps: int, peak: float) -> float:
    """From ``peak`` at step 0 towards 0 at ``steps``: Loshchilov & Hutter 2017, equation 5."""
    return 0.5 * peak * (1.0 + math.cos(math.pi * min(step, steps) / steps))


def linear_decay(step: int, steps: int, share: float) -> float:
    """1 until the last ``share`` of the steps, in which it falls evenly towards 0 at ``steps``."""
    return 1.0 if share == 0 else min(1.0, (steps - step) / (share * steps))


def ramp(step: int, over: float) -> float:
    """From near 0 to 1 in equal increments over the first ``over`` steps, then 1."""
    return 1.0 if step + 1 >= over else (step + 1) / over
