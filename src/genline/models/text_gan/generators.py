"""The generators by name, and how texts are drawn from one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from genline.data.prepared import TextSpec
from genline.models.networks.decoder import Decoder, State
from genline.models.networks.decoders import DECODERS, Sizes
from genline.models.text_gan.config import Model

# The decoder that each network is. What tells `recurrent` from `lstm` is its latent, which it
# reads, with its own last token, at every step.
GENERATORS = {
    "lstm": "lstm",
    "gru": "gru",
    "transformer": "transformer",
    "recurrent": "lstm",
    "mlp": "mlp",
}


def make_generator(model: Model, spec: TextSpec) -> Decoder:
    sizes = Sizes(
        vocabulary=spec.vocabulary,
        longest=spec.max_tokens,
        embedding=model.embedding,
        hidden=model.hidden,
        latent=model.latent,
        layers=model.layers,
        heads=model.heads,
        attention=model.attention,
    )
    return DECODERS[GENERATORS[model.network]](sizes)


def draw_noise(
    latent: int, count: int, random: torch.Generator, device: torch.device
) -> Tensor | None:
    """z ~ N(0, I), (count, latent) on ``device``; None, and nothing drawn, where latent is 0."""
    if not latent:
        return None
    return torch.randn(count, latent, generator=random, device=random.device).to(device)


def reading(
    generator: Decoder, count: int, z: Tensor | None
) -> tuple[Callable[[Tensor, State], tuple[Tensor, State]], State]:
    """What :mod:`genline.models.networks.decoding` draws from: the step, and the first state.

    z stands beside the state, as a part of it: a search that reorders rows takes it along.
    """
    if z is None:
        return generator.step, generator.start(count)

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        noise, *rest = state
        logits, left = generator.step(tokens, tuple(rest), noise[0])
        return logits, (noise, *left)

    return step, (z[None], *generator.start(count, z))
