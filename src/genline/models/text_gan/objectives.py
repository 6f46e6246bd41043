"""Adversarial objectives for discrete texts: how generated texts are drawn, scored and improved."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from genline.data.prepared import BOS, EOS, PAD
from genline.models.networks.decoding import MARKS, sample_texts
from genline.models.networks.recurrent_decoder import LSTMDecoder
from genline.models.text_gan.config import Train
from genline.models.text_gan.discriminators import LSTMDiscriminator
from genline.models.text_gan.texts import Texts


def text_scores(scores: Tensor, real: Tensor) -> Tensor:
    """The mean of each text's token scores, (batch,); scores and real (length, batch)."""
    return (scores * real).sum(0) / real.sum(0)


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
        self, generator: LSTMDecoder, count: int, progress: float, noise: torch.Generator
    ) -> Texts:
        """``count`` texts of the generator; ``progress`` through the phase is in [0, 1]."""

    @abstractmethod
    def discriminator_loss(
        self, on_real: Tensor, real: Tensor, on_fake: Tensor, fake: Tensor
    ) -> Tensor:
        """From scores and masks, all (length, batch), of real and of generated texts."""

    @abstractmethod
    def generator_loss(
        self, generator: LSTMDecoder, discriminator: LSTMDiscriminator, real: Texts, fake: Texts
    ) -> Tensor:
        """What the generator minimises on the texts it drew."""


class Reinforce(Objective):
    """Policy gradient with a reward at every token (de Masson d'Autume et al. 2019, ScratchGAN).

    The discriminator's logit after a prefix estimates log p_data / p_model of that prefix, so its
    rise at a token is that token's own log-ratio: the reward. At discount 1 the rewards to come
    sum to the whole text's log-ratio less the prefix's, whose expected gradient is that of
    −KL(model ‖ data) with the prefix's own ratio as the baseline; a smaller discount trades
    bias for variance. A moving average of the returns is the rest of the baseline.
    """

    baseline: Tensor

    def __init__(self, train: Train, max_tokens: int) -> None:
        super().__init__(train, max_tokens)
        self.register_buffer("baseline", torch.zeros(()))

    def draw(
        self, generator: LSTMDecoder, count: int, progress: float, noise: torch.Generator
    ) -> Texts:
        # UNK may be drawn here: it is a token of the policy whose gradient is taken.
        texts = sample_texts(
            generator.step, generator.start(count), count, self.max_tokens, noise, never=MARKS
        )
        return Texts(texts.T)

    def discriminator_loss(
        self, on_real: Tensor, real: Tensor, on_fake: Tensor, fake: Tensor
    ) -> Tensor:
        """Cross-entropy of every prefix, real and generated prefixes weighing the same."""
        on_real, on_fake = on_real[real], on_fake[fake]
        return functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()

    def returns(self, scores: Tensor, real: Tensor) -> Tensor:
        """Discounted sums of the rewards from each token on, (length, batch)."""
        before = torch.cat([torch.zeros_like(scores[:1]), scores[:-1]])
        rewards = (scores - before) * real
        total = torch.zeros_like(rewards[0])
        returns = torch.empty_like(rewards)
        for t in range(len(rewards) - 1, -1, -1):
            total = rewards[t] + self.train_section.discount * total
            returns[t] = total
        return returns

    def generator_loss(
        self, generator: LSTMDecoder, discriminator: LSTMDiscriminator, real: Texts, fake: Texts
    ) -> Tensor:
        drawn = fake.real.clone()
        drawn[self.max_tokens :] = False  # a forced end earns its reward for the tokens before it
        with torch.no_grad():
            scores = discriminator(fake.embed(discriminator.embedding)).float()
            returns = self.returns(scores, fake.real)
            mean = returns[drawn].mean()
            advantage = (returns - self.baseline) * drawn
            self.baseline.lerp_(mean, 0.05)
        begin = torch.full_like(fake.tokens[:1], BOS)
        likelihoods = generator.token_log_likelihood(torch.cat([begin, fake.tokens]).T)
        return -(advantage.T * likelihoods).sum(1).mean()


class Gumbel(Objective):
    """Straight-through Gumbel-softmax with a relativistic loss (Nie et al. 2019, RelGAN).

    Forwards a token is one-hot; backwards it is softmax((logits + Gumbel) · β), β growing
    exponentially over the phase (section 3.2 there; Jang et al. 2017 for the estimator).
    """

    def draw(
        self, generator: LSTMDecoder, count: int, progress: float, noise: torch.Generator
    ) -> Texts:
        beta = self.train_section.inverse_temperature**progress
        where = generator.bias.device
        never = torch.tensor(MARKS, device=where)
        matrix = generator.embedding.weight * generator.scale
        state = generator.start(count)
        embedded = matrix[BOS].expand(count, -1)
        running = torch.ones(count, dtype=torch.bool, device=where)
        tokens, relaxed = [], []
        for _ in range(self.max_tokens):
            readout, state = generator.run(embedded[None], state)
            logits = generator.logits(readout[0]).float().index_fill(1, never, -torch.inf)
            uniform = torch.rand(logits.shape, generator=noise, device=where)
            gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
            soft = torch.softmax((logits + gumbel) * beta, -1)
            drawn = soft.argmax(-1)
            hard = functional.one_hot(drawn, logits.shape[1]).to(soft.dtype)
            one_hot = (hard + soft - soft.detach()) * running[:, None]
            tokens.append(torch.where(running, drawn, PAD))
            relaxed.append(one_hot)
            running = running & (drawn != EOS)
            if not bool(running.any()):
                break
            embedded = one_hot @ matrix
        ended = torch.where(running, EOS, PAD)
        tokens.append(ended)
        relaxed.append(functional.one_hot(ended, len(matrix)).to(matrix.dtype) * running[:, None])
        return Texts(torch.stack(tokens), torch.stack(relaxed))

    def discriminator_loss(
        self, on_real: Tensor, real: Tensor, on_fake: Tensor, fake: Tensor
    ) -> Tensor:
        return functional.softplus(text_scores(on_fake, fake) - text_scores(on_real, real)).mean()

    def generator_loss(
        self, generator: LSTMDecoder, discriminator: LSTMDiscriminator, real: Texts, fake: Texts
    ) -> Tensor:
        on_fake = discriminator(fake.embed(discriminator.embedding)).float()
        with torch.no_grad():
            on_real = discriminator(real.embed(discriminator.embedding)).float()
        # The discriminator's own loss with the sides changed: it is relativistic.
        return self.discriminator_loss(on_fake, fake.real, on_real, real.real)


OBJECTIVES: dict[str, type[Objective]] = {"reinforce": Reinforce, "gumbel": Gumbel}
