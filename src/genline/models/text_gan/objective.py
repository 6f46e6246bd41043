"""What every adversarial game over discrete texts has: a draw, and a loss for either side."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from genline.models.networks.decoder import Decoder
from genline.models.text_gan.config import Train
from genline.models.text_gan.discriminators import Scores, TextDiscriminator
from genline.models.text_gan.texts import Texts


class Objective(nn.Module, ABC):
    """One adversarial game. What it remembers between steps stands in its buffers.

    A text of ``max_tokens`` tokens ends there whatever the generator would have drawn next, as
    every text of the data does: that end mark is no choice of its own.
    """

    def __init__(self, train: Train, max_tokens: int) -> None:
        super().__init__()
        self.train_section, self.max_tokens = train, max_tokens

    @abstractmethod
    def draw(
        self,
        generator: Decoder,
        count: int,
        progress: float,
        noise: torch.Generator,
        z: Tensor | None = None,
    ) -> Texts:
        """``count`` texts of the generator; ``progress`` through the phase is in [0, 1].

        z: (count, latent) where the generator reads noise.
        """

    def discriminator_loss(self, on_real: Scores, on_fake: Scores) -> Tensor:
        """Cross-entropy of every score, those of real and of generated texts weighing the same."""
        return (
            functional.softplus(-on_real.counted).mean()
            + functional.softplus(on_fake.counted).mean()
        )

    def accuracy(self, on_real: Scores, on_fake: Scores) -> Tensor:
        """The share of scores on their own side of 0."""
        return torch.cat([on_real.counted > 0, on_fake.counted < 0]).float().mean()

    @abstractmethod
    def generator_loss(
        self, generator: Decoder, discriminator: TextDiscriminator, real: Texts, fake: Texts
    ) -> Tensor:
        """What the generator minimises on the texts it drew."""
