"""A decoder of dense layers: every place of a text is predicted from the latent alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genline.models.networks.decoder import Decoder, State


class MLPDecoder(Decoder):
    """p(text | z) = Π p(token at its place | z), the end mark being the last token of the product.

    A distribution over texts of up to ``longest`` tokens, so its likelihood can be held against
    any other decoder's. Places are independent given z (as in Gu et al. 2018, section 3, without
    fertilities): what one word says about the next must go through z, of which a posterior can
    therefore hardly collapse, and samples agree with themselves only as far as z makes them.
    """

    def __init__(
        self, vocabulary: int, embedding: int, hidden: int, latent: int = 0, *, longest: int
    ) -> None:
        super().__init__(vocabulary, embedding)
        self.hidden = hidden
        self.layer = nn.Sequential(nn.Linear(latent, hidden), nn.LeakyReLU(0.2)) if latent else None
        self.places = nn.Linear(hidden, (longest + 1) * embedding)

    def start(self, batch: int, z: Tensor | None = None) -> State:
        """The readouts of all places, (longest + 1, batch, embedding)."""
        if self.layer is not None and z is not None:
            features = self.layer(z)
        else:
            features = self.bias.new_zeros(batch, self.hidden)
        readouts = self.places(features).unflatten(1, (-1, self.embedding.embedding_dim))
        return (readouts.transpose(0, 1),)

    def run(
        self,
        embedded: Tensor,
        state: State,
        z: Tensor | None = None,
        p: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        """The readouts of the next places, whatever ``embedded`` holds."""
        (readouts,) = state
        return readouts[: len(embedded)], (readouts[len(embedded) :],)
