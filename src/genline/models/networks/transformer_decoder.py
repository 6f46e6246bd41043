"""A causal transformer as a language model, alone or conditioned on a latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genline.models.networks.decoder import Decoder, State
from genline.models.networks.sequence_attention import Block, causal_mask


class TransformerDecoder(Decoder):
    """Attention over the tokens before, whose keys and values are kept between steps.

    The latent, where there is one, is a memory that every token may look at, and is added to
    every embedding (Li et al. 2020, Optimus, section 3.1: both of its schemes). Before the first
    token the state holds that memory alone; without a latent it is a place to look away to, so
    that a decoder with no use for z is the same model as one without.
    """

    def __init__(
        self,
        vocabulary: int,
        embedding: int,
        hidden: int,
        latent: int = 0,
        *,
        longest: int,
        layers: int = 1,
        heads: int = 1,
    ) -> None:
        """``hidden``: width of the blocks; ``longest``: tokens of a text, marks not counted."""
        super().__init__(vocabulary, embedding)
        self.input = nn.Linear(embedding, hidden)
        self.position = nn.Embedding(longest + 1, hidden)
        nn.init.normal_(self.position.weight, std=0.1)
        self.added = nn.Linear(latent, hidden, bias=False) if latent else None
        self.memory = nn.Linear(latent, 2 * layers * hidden, bias=False) if latent else None
        self.memory_bias = nn.Parameter(torch.zeros(2 * layers, hidden))
        self.blocks = nn.ModuleList(Block(hidden, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.readout = nn.Linear(hidden, embedding)

    def start(self, batch: int, z: Tensor | None = None) -> State:
        """Keys and values of every block in turn, each (1, batch, hidden): the memory's."""
        memory = self.memory_bias.expand(batch, -1, -1)
        if self.memory is not None and z is not None:
            memory = memory + self.memory(z).unflatten(1, self.memory_bias.shape)
        return tuple(part[None] for part in memory.unbind(1))

    def run(
        self,
        embedded: Tensor,
        state: State,
        z: Tensor | None = None,
        p: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        length, past = len(embedded), len(state[0])
        places = torch.arange(past - 1, past - 1 + length, device=embedded.device)
        x = self.input(embedded) + self.position(places)[:, None]
        if self.added is not None and z is not None:
            x = x + self.added(z)
        mask = causal_mask(length, past, x.device)
        known: list[Tensor] = []
        for block, keys, values in zip(self.blocks, state[::2], state[1::2], strict=True):
            x, pair = block(x, mask, (keys, values), p, generator)
            known += pair
        return self.readout(self.norm(x)), tuple(known)
