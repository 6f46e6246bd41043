"""Building a network with weights drawn from a seed, leaving torch's global state as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch's global generator starts from ``seed``; outside, it is untouched.

    torch's layers draw their first weights from global state and take no generator; this is the
    only place that lends it one.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
