"""Policy gradient: the generator is told how good the tokens were that it drew."""

from __future__ import annotations

import torch
from torch import Tensor

from genline.data.prepared import BOS
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoding import MARKS, sample_texts
from genline.models.text_gan.config import Train
from genline.models.text_gan.discriminators import Scores, TextDiscriminator
from genline.models.text_gan.generators import reading
from genline.models.text_gan.objective import Objective
from genline.models.text_gan.texts import Texts


class Reinforce(Objective):
    """Policy gradient with a reward at every token (de Masson d'Autume et al. 2019, ScratchGAN).

    The discriminator's logit after a prefix estimates log p_data / p_model of that prefix, so its
    rise at a token is that token's own log-ratio: the reward. At discount 1 the rewards to come
    sum to the whole text's log-ratio less the prefix's, whose expected gradient is that of
    −KL(model ‖ data) with the prefix's own ratio as the baseline; a smaller discount trades
    bias for variance. A moving average of the returns is the rest of the baseline.

    Of a discriminator that scores whole texts the one logit is the return of every token (Yu et
    al. 2017, SeqGAN, without its roll-outs).
    """

    mean_return: Tensor

    def __init__(self, train: Train, max_tokens: int) -> None:
        super().__init__(train, max_tokens)
        self.register_buffer("mean_return", torch.zeros(()))

    def draw(
        self,
        generator: Decoder,
        count: int,
        progress: float,
        noise: torch.Generator,
        z: Tensor | None = None,
    ) -> Texts:
        # UNK may be drawn here: it is a token of the policy whose gradient is taken.
        step, state = reading(generator, count, z)
        texts = sample_texts(step, state, count, self.max_tokens, noise, never=MARKS)
        return Texts(texts.T, z=z)

    def returns(self, scores: Scores, real: Tensor) -> Tensor:
        """Discounted sums of the rewards from each token on, the shape of real (length, batch)."""
        logits = scores.logits
        if not self.train_section.discriminator.scores_prefixes:
            return logits * real
        before = torch.cat([torch.zeros_like(logits[:1]), logits[:-1]])
        rewards = (logits - before) * real
        total = torch.zeros_like(rewards[0])
        returns = torch.empty_like(rewards)
        for t in range(len(rewards) - 1, -1, -1):
            total = rewards[t] + self.train_section.discount * total
            returns[t] = total
        return returns

    def generator_loss(
        self, generator: Decoder, discriminator: TextDiscriminator, real: Texts, fake: Texts
    ) -> Tensor:
        drawn = fake.real.clone()
        drawn[self.max_tokens :] = False  # a forced end earns its reward for the tokens before it
        with torch.no_grad():
            returns = self.returns(discriminator(fake), fake.real)
            mean = returns[drawn].mean()
            advantage = (returns - self.mean_return) * drawn
            self.mean_return.lerp_(mean, 1.0 - self.train_section.baseline)
        begin = torch.full_like(fake.tokens[:1], BOS)
        texts = torch.cat([begin, fake.tokens]).T
        likelihoods = generator.token_log_likelihood(texts, fake.z)
        return -(advantage.T * likelihoods).sum(1).mean()
