"""Texts from any next-token model: drawn token by token, or searched for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from genline.core.errors import ModelError
from genline.data.prepared import BOS, EOS, PAD, UNK
from genline.models.networks.beam import beam_search
from genline.models.networks.decoder import State
from genline.models.networks.strategy import ANCESTRAL, Strategy

S = TypeVar("S")

MARKS = (PAD, BOS)  # stand in no text
UNREADABLE = (*MARKS, UNK)
_GRAIN = 2.0**30


def decode_texts(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    state: State,
    count: int,
    max_tokens: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    strategy: Strategy = ANCESTRAL,
    device: torch.device | None = None,
) -> Tensor:
    """``count`` texts by ``strategy``, in the order of the state's rows: see :func:`sample_texts`.

    With ``strategy.beams`` the likeliest text of each row is searched for, by one beam greedily;
    nothing is drawn then, and ``temperature`` changes nothing.
    """
    if strategy.beams > 1:
        return beam_search(step, state, count, max_tokens, strategy.beams, UNREADABLE)
    heat = 0.0 if strategy.beams else temperature
    return sample_texts(step, state, count, max_tokens, generator, heat, device, strategy=strategy)


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
    strategy: Strategy = ANCESTRAL,
) -> Tensor:
    """``count`` texts, int64 (count, at most max_tokens + 1): tokens, EOS, then PAD.

    ``step(tokens, state)`` takes the last tokens (count,) and gives the next one's logits
    (count, vocabulary) and a new state. ``temperature`` divides the logits; at 0 the likeliest
    token is taken. A text of ``max_tokens`` tokens ends there, as every text of the data does.

    Tokens in ``never`` are not drawn; the other probabilities are scaled up. By default UNK is
    one of them, so that a sample is a sentence one can read: a model of data without unknown
    words loses nothing by it; with them, distances between samples and data include it.
    ``strategy`` may leave out the less likely of the others. ``device`` is where ``step``
    computes; None: the generator's.

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
        drawn = _draw(logits.float(), uniform[:, position], temperature, never, strategy)
        tokens = torch.where(running, drawn, PAD)
        texts[:, position] = tokens
        running &= tokens != EOS
        if not bool(running.any()):
            return texts[:, : position + 1]
    texts[:, max_tokens] = torch.where(running, EOS, PAD)
    return texts


def _draw(
    logits: Tensor,
    uniform: Tensor,
    temperature: float,
    never: tuple[int, ...],
    strategy: Strategy,
) -> Tensor:
    """One token a row, by inverting the distribution function at ``uniform`` (count,)."""
    logits = logits.index_fill(1, torch.tensor(never, device=logits.device), -math.inf)
    if temperature == 0.0:
        return logits.argmax(-1)
    scaled = logits.sub_(logits.amax(-1, keepdim=True)).div_(temperature)
    if strategy.top_k:
        scaled = keep_top_k(scaled, strategy.top_k)
    if strategy.top_p < 1.0:
        scaled = keep_nucleus(scaled, strategy.top_p)
    cumulative = _counted(scaled).cumsum(-1, dtype=torch.int32)
    threshold = (uniform * cumulative[:, -1]).int()
    return torch.searchsorted(cumulative, threshold[:, None], right=True)[:, 0]


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """``logits`` (count, vocabulary) with −∞ at all but the k likeliest tokens of each row.

    Fan et al. 2018, section 5.1.
    """
    values, tokens = logits.topk(min(k, logits.shape[-1]), -1)
    return torch.full_like(logits, -math.inf).scatter(-1, tokens, values)


def keep_nucleus(logits: Tensor, p: float) -> Tensor:
    """``logits`` (count, vocabulary) with −∞ outside of each row's nucleus.

    The nucleus is the fewest likeliest tokens whose probabilities sum to p or more (Holtzman et
    al. 2020, section 3.1).
    """
    values, tokens = logits.sort(dim=-1, descending=True, stable=True)
    chances = _counted(values)
    # A token is in while those before it fall short of p: the first always is.
    before = chances.cumsum(-1, dtype=torch.int32) - chances
    left_out = before >= p * chances.sum(-1, keepdim=True)
    return torch.full_like(logits, -math.inf).scatter(
        -1, tokens, values.masked_fill(left_out, -math.inf)
    )


def _counted(logits: Tensor) -> Tensor:
    """Probabilities in units of 2⁻³⁰, int32 of the same shape.

    Sums of integers are exact in any order, so that no device draws an impossible token.
    """
    return torch.softmax(logits, -1).mul_(_GRAIN).int()
