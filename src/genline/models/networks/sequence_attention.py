"""Self-attention over what has been read, with the past kept, and the blocks of a transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from genline.models.networks.dropout import dropout


def causal_mask(length: int, past: int, device: torch.device) -> Tensor | None:
    """Which of ``past`` + ``length`` positions each of the last ``length`` may look at.

    bool (length, past + length), True where it may: those before it, and itself. None for a
    single one, which may look at all.
    """
    if length == 1:
        return None
    allowed = torch.ones(length, past + length, dtype=torch.bool, device=device)
    return allowed.tril(past)


class PastAttention(nn.Module):
    """What a recurrent network's state finds among the states before it, itself included.

    Scaled dot products of one head over the past states (Cheng et al. 2016, section 3; Daniluk et
    al. 2017, section 2): what is far back is reached without having been carried along.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)

    def forward(self, states: Tensor, past: Tensor) -> Tensor:
        """Contexts of states, both (length, batch, hidden); past: (before, batch, hidden)."""
        known = torch.cat([past, states]).transpose(0, 1)
        context = functional.scaled_dot_product_attention(
            self.query(states).transpose(0, 1),
            self.key(known),
            known,
            attn_mask=causal_mask(len(states), len(past), states.device),
        )
        return context.transpose(0, 1)


class Block(nn.Module):
    """Self-attention, then a two-layer perceptron, each a residual branch (Vaswani et al. 2017).

    The branches read normalised inputs, so that no warm-up is needed at depth (Xiong et al. 2020,
    section 3.3).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        past: tuple[Tensor, Tensor] | None = None,
        p: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The block's output, the shape of x (length, batch, width), and all keys and values.

        ``mask``: which keys a query may look at, broadcast over (batch, heads, length, keys);
        None: all. ``past``: the keys and values of what stands before x, each (before, batch,
        width). ``p`` is the dropout of both branches, drawn from ``generator``.
        """
        query, key, value = self.project(self.norm_attention(x)).chunk(3, -1)
        if past is not None:
            key, value = torch.cat([past[0], key]), torch.cat([past[1], value])
        found = functional.scaled_dot_product_attention(
            self._heads(query), self._heads(key), self._heads(value), attn_mask=mask
        )
        x = x + dropout(self.attended(found.permute(2, 0, 1, 3).flatten(2)), p, generator)
        branch = self.contract(functional.gelu(self.expand(self.norm_mlp(x))))
        return x + dropout(branch, p, generator), (key, value)

    def _heads(self, x: Tensor) -> Tensor:
        """(batch, heads, length, width / heads) of (length, batch, width)."""
        length, batch, _ = x.shape
        return x.reshape(length, batch, self.heads, -1).permute(1, 2, 0, 3)
