"""Ancestral sampling of texts from any next-token model."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from genline.core.errors import ModelError
from genline.data.prepared import BOS, EOS, PAD, UNK

S = TypeVar("S")

MARKS = (PAD, BOS)  # stand in no text
UNREADABLE = (*MARKS, UNK)
_GRAIN = 2.0**30  # probabilities are counted in units of 2⁻³⁰


@torch.no_grad()
def sample_texts(
    step: Callable[[Tensor, S], tuple[Tensor, S]],
    state: S,
    count: int,
    max_tokens: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    device: torch.device | None = None,
    never: tuple[int, ...] = UNREADABLE,
) -> Tensor:
    """``count`` texts, int64 (count, at most max_tokens + 1): tokens, EOS, then PAD.

    ``step(tokens, state)`` takes the last tokens (count,) and gives the next one's logits
    (count, vocabulary) and a new state. ``temperature`` divides the logits; at 0 the likeliest
    token is taken. A text of ``max_tokens`` tokens ends there, as every text of the data does.

    Tokens in ``never`` are not drawn; the other probabilities are scaled up. By default UNK is
    one of them, so that a sample is a sentence one can read: a model of data without unknown
    words loses nothing by it; with them, distances between samples and data include it.
    ``device`` is where ``step`` computes; None: the generator's.

    A row depends on its own state and its own random numbers alone, which are drawn for all rows
    at the start, whatever the other rows do. Raises ModelError for a temperature below 0 or not
    finite.
    """
    if not (temperature >= 0.0 and math.isfinite(temperature)):
        raise ModelError(f"temperature is {temperature}; it must be a number of 0 or more")
    where = generator.device if device is None else device
    uniform = torch.rand(
        count, max_tokens, generator=generator, device=generator.device, dtype=torch.float64
    ).to(where)
    tokens = torch.full((count,), BOS, device=where)
    running = torch.ones(count, dtype=torch.bool, device=where)
    texts = torch.full((count, max_tokens + 1), PAD, device=where)
    for position in range(max_tokens):
        logits, state = step(tokens, state)
        drawn = _draw(logits.float(), uniform[:, position], temperature, never)
        tokens = torch.where(running, drawn, PAD)
        texts[:, position] = tokens
        running &= tokens != EOS
        if not bool(running.any()):
            return texts[:, : position + 1]
    texts[:, max_tokens] = torch.where(running, EOS, PAD)
    return texts


def _draw(logits: Tensor, uniform: Tensor, temperature: float, never: tuple[int, ...]) -> Tensor:
    """One token a row, by inverting the distribution function at ``uniform`` (count,)."""
    logits = logits.index_fill(1, torch.tensor(never, device=logits.device), -math.inf)
    if temperature == 0.0:
        return logits.argmax(-1)
    # Integers: sums are exact in any order, so that no device draws an impossible token.
    scaled = logits.sub_(logits.amax(-1, keepdim=True)).div_(temperature)
    chances = torch.softmax(scaled, -1).mul_(_GRAIN).int()
    cumulative = chances.cumsum(-1, dtype=torch.int32)
    threshold = (uniform * cumulative[:, -1]).int()
    return torch.searchsorted(cumulative, threshold[:, None], right=True)[:, 0]
