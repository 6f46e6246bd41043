"""Training of a text VAE: the evidence lower bound and the remedies against its collapse."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from genline.core.seeds import derive_seed
from genline.data.batches import BucketedBatches
from genline.data.prepared import EOS, PAD, UNK, PreparedTexts
from genline.models.initialisation import seeded
from genline.models.networks.frequencies import start_at_frequencies
from genline.models.networks.gaussian import (
    draw_posterior,
    kl_to_standard_normal,
    log_prior_ratio,
)
from genline.models.text_vae.config import Model, Train
from genline.models.text_vae.model import NETWORKS, LSTMTextVAE
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import cosine, ramp

_WARMUP = 50  # steps over which the learning rate rises


class TextVAERecipe(Recipe):
    """Sum over tokens, mean over the batch; the averaged weights are kept.

    Four remedies against a posterior that collapses to the prior, each off at 0: β rising from 0
    (Bowman et al. 2016), word dropout (the same), free bits a dimension (Kingma et al. 2016,
    appendix C.8), and predicting the text's bag of words from z alone (Zhao et al. 2017,
    section 3.3). The last needs a layer that is no part of the model and is not kept.

    The best state has the lowest importance-weighted NLL on validation texts: with free bits the
    bound is loose, and would favour a collapsed state.
    """

    selects_by = "valid_loss"

    def __init__(self, context: Context, data: PreparedTexts, model: Model, train: Train) -> None:
        super().__init__()
        self.context, self.train = context, train
        self.steps, self.validate_every = train.steps, train.validate_every
        self.texts = data.split("train")
        self.batches = BucketedBatches(
            self.texts.lengths, train.batch, derive_seed(context.seed, "batches")
        )
        held_out = data.split("valid")
        shortest_first = np.argsort(held_out.lengths[: train.validate_texts], kind="stable")
        self.held_out = [
            context.tensor(held_out.batch(part))
            for part in np.array_split(shortest_first, math.ceil(len(shortest_first) / 128))
        ]
        with seeded(derive_seed(context.seed, "weights")):
            self.vae = NETWORKS[model.network](model, data.spec).to(context.device)
            self.words = nn.Linear(model.latent, data.spec.vocabulary).to(context.device)
        start_at_frequencies(self.vae.decoder.bias, self.texts)
        self.average = ExponentialAverage(self.vae, train.ema)
        self.weights = [*self.vae.parameters(), *self.words.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.weights,
            train.learning_rate,
            (0.9, 0.99),
            weight_decay=train.weight_decay,
            fused=True,
        )
        self.noise = context.generator("noise")
        self.modules = {"vae": self.vae, "words": self.words}
        self.optimizers = {"vae": self.optimizer}
        self.averages = {"vae": self.average}
        self.generators = {"noise": self.noise}

    def step(self, step: int) -> dict[str, Tensor]:
        train = self.train
        rate = cosine(step, self.steps, train.learning_rate) * ramp(step, _WARMUP)
        set_learning_rate(self.optimizer, rate)
        x = self.context.tensor(self.texts.batch(self.batches[step]))
        with self.context.fabric.autocast():
            mean, log_variance = self.vae.posterior(x)
            z = draw_posterior(mean, log_variance, self.noise)
            likelihoods = self.vae.decoder.token_log_likelihood(
                x, z, inputs=self._hide_words(x[:, :-1]), p=train.dropout, generator=self.noise
            )
        reconstruction = -likelihoods.sum(1).mean()
        kl = kl_to_standard_normal(mean, log_variance).mean(0)
        floor = train.free_bits / len(kl)
        loss = reconstruction + self._beta(step) * kl.clamp_min(floor).sum()
        if train.bag_of_words:
            loss = loss + train.bag_of_words * self._bag_of_words(x, z)
        self.optimizer.zero_grad()
        self.context.fabric.backward(loss)
        clip_grad_norm_(self.weights, train.clip)
        self.optimizer.step()
        self.average.update(self.vae)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl.sum()}

    def _beta(self, step: int) -> float:
        return self.train.beta * ramp(step, self.train.kl_warmup * self.steps)

    def _hide_words(self, inputs: Tensor) -> Tensor:
        """``inputs`` with a share of the words after BOS replaced by UNK."""
        if self.train.word_dropout == 0.0:
            return inputs
        chance = torch.rand(inputs.shape, generator=self.noise, device=inputs.device)
        hidden = (chance < self.train.word_dropout) & (inputs > EOS)
        return inputs.masked_fill(hidden, UNK)

    def _bag_of_words(self, x: Tensor, z: Tensor) -> Tensor:
        """NLL of a text's tokens, in any order, given z alone; nats a text."""
        chances = functional.log_softmax(self.words(z).float(), -1)
        words = x[:, 1:]
        return -(chances.gather(1, words) * (words != PAD)).sum(1).mean()

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """Nats a text, the same posterior noise every time: −ELBO's terms, importance-weighted
        NLL (Burda et al. 2016, equation 8)."""
        vae, noise = self.average.module, self.context.generator("validation")
        assert isinstance(vae, LSTMTextVAE)
        reconstruction = divergence = weighted = count = 0.0
        for x in self.held_out:
            mean, log_variance = vae.posterior(x)
            z = draw_posterior(mean, log_variance, noise, self.train.validate_draws)
            likelihood = vae.log_likelihood(x, z).double()
            weights = likelihood + log_prior_ratio(z, mean, log_variance).double()
            bound = torch.logsumexp(weights, 0) - math.log(len(z))
            weighted -= float(bound.sum())
            reconstruction -= float(likelihood.mean(0).sum())
            divergence += float(kl_to_standard_normal(mean, log_variance).double().sum())
            count += len(x)
        return {
            "valid_loss": weighted / count,
            "valid_reconstruction": reconstruction / count,
            "valid_kl": divergence / count,
        }

    def result(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()


def build(context: Context, data: PreparedTexts, model: Model, train: Train) -> Recipe:
    return TextVAERecipe(context, data, model, train)
