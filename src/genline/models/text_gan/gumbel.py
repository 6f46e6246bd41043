"""Straight-through games: the discriminator's gradient flows through the drawn tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

from genline.data.prepared import BOS, EOS, PAD
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoding import MARKS
from genline.models.networks.discrepancy import squared_discrepancy
from genline.models.text_gan.discriminators import Scores, TextDiscriminator
from genline.models.text_gan.objective import Objective
from genline.models.text_gan.texts import Texts


class _StraightThrough(Objective):
    """Forwards a token is one-hot; backwards it is softmax((logits + Gumbel) · β).

    Jang et al. 2017, section 2.2; β grows exponentially over the phase (Nie et al. 2019, RelGAN,
    section 3.2).
    """

    def draw(
        self,
        generator: Decoder,
        count: int,
        progress: float,
        noise: torch.Generator,
        z: Tensor | None = None,
    ) -> Texts:
        beta = self.train_section.inverse_temperature**progress
        where = generator.bias.device
        never = torch.tensor(MARKS, device=where)
        matrix = generator.embedding.weight * generator.scale
        state = generator.start(count, z)
        embedded = matrix[BOS].expand(count, -1)
        running = torch.ones(count, dtype=torch.bool, device=where)
        tokens, relaxed = [], []
        for _ in range(self.max_tokens):
            readout, state = generator.run(embedded[None], state, z)
            logits = generator.logits(readout[0]).float().index_fill(1, never, -torch.inf)
            uniform = torch.rand(logits.shape, generator=noise, device=where)
            gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
            soft = torch.softmax((logits + gumbel) * beta, -1)
            drawn = soft.argmax(-1)
            hard = functional.one_hot(drawn, logits.shape[1]).to(soft.dtype)
            # The difference is exactly 0, so that what is read is exactly one-hot.
            one_hot = (hard + (soft - soft.detach())) * running[:, None]
            tokens.append(torch.where(running, drawn, PAD))
            relaxed.append(one_hot)
            running = running & (drawn != EOS)
            if not bool(running.any()):
                break
            embedded = one_hot @ matrix
        ended = torch.where(running, EOS, PAD)
        tokens.append(ended)
        relaxed.append(functional.one_hot(ended, len(matrix)).to(matrix.dtype) * running[:, None])
        return Texts(torch.stack(tokens), torch.stack(relaxed), z)


class Gumbel(_StraightThrough):
    """The discriminator is to call the texts real.

    Relativistic, it compares them with real ones (Nie et al. 2019, RelGAN, section 3.3; Jolicoeur-
    Martineau 2019); otherwise the loss is the non-saturating one of Goodfellow et al. 2014.
    """

    def discriminator_loss(self, on_real: Scores, on_fake: Scores) -> Tensor:
        if not self.train_section.relativistic:
            return super().discriminator_loss(on_real, on_fake)
        return functional.softplus(on_fake.of_texts - on_real.of_texts).mean()

    def accuracy(self, on_real: Scores, on_fake: Scores) -> Tensor:
        """Relativistic, of pairs put in order: adding a number to all scores changes nothing."""
        if not self.train_section.relativistic:
            return super().accuracy(on_real, on_fake)
        return (on_real.of_texts > on_fake.of_texts).float().mean()

    def generator_loss(
        self, generator: Decoder, discriminator: TextDiscriminator, real: Texts, fake: Texts
    ) -> Tensor:
        on_fake = discriminator(fake)
        if not self.train_section.relativistic:
            return functional.softplus(-on_fake.counted).mean()
        with torch.no_grad():
            on_real = discriminator(real)
        # The discriminator's own loss with the sides changed.
        return self.discriminator_loss(on_fake, on_real)


class FeatureMatching(_StraightThrough):
    """Generated texts are to have the features of real ones that the discriminator has found.

    Their mean (Salimans et al. 2016, section 3.1), which says nothing of how they spread; or their
    distribution, by a kernel (Zhang et al. 2017, TextGAN, section 2.2). The discriminator itself
    learns to tell the texts apart, so that its features are those in which they differ.
    """

    def generator_loss(
        self, generator: Decoder, discriminator: TextDiscriminator, real: Texts, fake: Texts
    ) -> Tensor:
        of_fake = discriminator.features(fake).float()
        with torch.no_grad():
            of_real = discriminator.features(real).float()
        if self.train_section.matching == "mmd":
            return squared_discrepancy(of_fake, of_real)
        return (of_fake.mean(0) - of_real.mean(0)).square().sum()
