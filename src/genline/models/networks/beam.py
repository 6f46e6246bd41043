"""Beam search: the likeliest text that a few partial texts side by side lead to."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from genline.data.prepared import BOS, EOS, PAD
from genline.models.networks.decoder import State, select_rows

_ROWS = 2048  # partial texts decoded at once; bounds memory whatever the count


@torch.no_grad()
def beam_search(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    state: State,
    count: int,
    max_tokens: int,
    beams: int,
    never: tuple[int, ...],
) -> Tensor:
    """The likeliest text found for each of ``count`` rows, in the order of the state's rows.

    int64 (count, at most max_tokens + 1): tokens, EOS, then PAD. ``step(tokens, state)`` takes the
    last tokens (n,) of any rows and their state. A text's score is its log-probability as
    sampling would draw it: tokens in ``never`` have none, and one of ``max_tokens`` tokens ends.
    There is no reward for length, so that what is found can be held against an exhaustive search.
    """
    together, parts = max(1, _ROWS // beams), []
    for start in range(0, count, together):
        some = tuple(part[:, start : start + together] for part in state)
        size = min(together, count - start)
        parts.append(_search(step, some, size, max_tokens, beams, never))
    width = max(part.shape[1] for part in parts)
    return torch.cat([pad(part, (0, width - part.shape[1]), value=PAD) for part in parts])


def _search(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    state: State,
    count: int,
    max_tokens: int,
    beams: int,
    never: tuple[int, ...],
) -> Tensor:
    device = state[0].device
    firsts = torch.arange(count, device=device)[:, None] * beams  # the first beam of each row
    state = select_rows(state, torch.arange(count, device=device).repeat_interleave(beams))
    # Alike at the start: all but one would be found again.
    scores = torch.full((count, beams), -math.inf, device=device)
    scores[:, 0] = 0.0
    tokens = torch.full((count * beams,), BOS, device=device)
    running = torch.ones(count, beams, dtype=torch.bool, device=device)
    texts = torch.full((count * beams, max_tokens + 1), PAD, device=device)
    banned = torch.tensor(never, device=device)
    for position in range(max_tokens):
        logits, state = step(tokens, state)
        chances = logits.float().index_fill(1, banned, -math.inf).log_softmax(-1)
        # A text that has ended goes on with padding, at no cost.
        ended = torch.full_like(chances, -math.inf)
        ended[:, PAD] = 0.0
        chances = torch.where(running.flatten()[:, None], chances, ended)
        candidates = (scores[..., None] + chances.view(count, beams, -1)).flatten(1)
        scores, found = candidates.topk(beams, -1)
        parents = (firsts + found // logits.shape[-1]).flatten()
        tokens = (found % logits.shape[-1]).flatten()
        state, texts = select_rows(state, parents), texts[parents]
        texts[:, position] = tokens
        running = (running.flatten()[parents] & (tokens != EOS)).view(count, beams)
        # No text gains by going on: once the best has ended, it stays the best.
        if not bool(running[:, 0].any()):
            return texts.view(count, beams, -1)[:, 0, : position + 1]
    texts[:, max_tokens] = torch.where(running.flatten(), EOS, PAD)
    return texts.view(count, beams, -1)[:, 0]
