"""Training of a text VAE: the evidence lower bound and the remedies against its collapse."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from genline.core.seeds import derive_seed, numpy_generator
from genline.data.batches import BucketedBatches
from genline.data.prepared import EOS, PAD, UNK, PreparedTexts
from genline.models.initialisation import seeded
from genline.models.networks.frequencies import start_at_frequencies
from genline.models.networks.gaussian import (
    draw_posterior,
    kl_to_standard_normal,
    log_prior_ratio,
)
from genline.models.text_vae.combinations import refuse
from genline.models.text_vae.config import Model, Train
from genline.models.text_vae.model import TextVAE
from genline.models.text_vae.networks import make_decoder
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import cosine, ramp

_WARMUP = 50  # steps over which the learning rate rises
_CHUNK = 128  # texts encoded at once outside of training
_STATISTICS = 4096  # training texts whose posterior means a batch norm is given


class TextVAERecipe(Recipe):
    """Sum over tokens, mean over the batch; the averaged weights are kept.

    Remedies against a posterior that collapses to the prior, each off at 0: β rising from 0
    (Bowman et al. 2016), once or in cycles (Fu et al. 2019, section 3); word dropout (Bowman et
    al.); free bits a dimension (Kingma et al. 2016, appendix C.8); predicting the text's bag of
    words from z alone (Zhao et al. 2017, section 3.3), by a layer that is no part of the model and
    is not kept; an encoder trained as an autoencoder's first, whose decoder is then forgotten (Li
    et al. 2019, section 3); further updates of the encoder alone while β rises (He et al. 2019,
    section 4, for a fixed share of the steps). A floor by batch norm is part of the model.

    The best state has the lowest importance-weighted NLL on validation texts: with free bits the
    bound is loose, and would favour a collapsed state. None is kept of the autoencoder.
    """

    selects_by = "valid_loss"

    def __init__(self, context: Context, data: PreparedTexts, model: Model, train: Train) -> None:
        super().__init__()
        refuse(model, train)
        self.context, self.section, self.train, self.spec = context, model, train, data.spec
        self.steps = train.pretrain_steps + train.steps
        self.validate_every = train.validate_every
        if train.pretrain_steps:
            self.phase_ends = frozenset({train.pretrain_steps})
        self.texts = data.split("train")
        self.batches = self._batches("batches")
        self.encoder_batches = self._batches("encoder_batches")
        held_out = data.split("valid")
        shortest_first = np.argsort(held_out.lengths[: train.validate_texts], kind="stable")
        self.held_out = [
            context.tensor(held_out.batch(part))
            for part in np.array_split(shortest_first, math.ceil(len(shortest_first) / _CHUNK))
        ]
        with seeded(derive_seed(context.seed, "weights")):
            self.vae = TextVAE(model, data.spec).to(context.device)
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

    def _batches(self, name: str) -> BucketedBatches:
        seed = derive_seed(self.context.seed, name)
        return BucketedBatches(self.texts.lengths, self.train.batch, seed)

    def step(self, step: int) -> dict[str, Tensor]:
        train, position = self.train, step - self.train.pretrain_steps
        if position < 0:
            return self._autoencode(step)
        if position == 0 and train.pretrain_steps:
            self._forget_decoder()
        rate = cosine(position, train.steps, train.learning_rate) * ramp(position, _WARMUP)
        set_learning_rate(self.optimizer, rate)
        beta = self._beta(position)
        if beta < train.beta:
            for update in range(train.encoder_updates):
                batch = self.encoder_batches[position * train.encoder_updates + update]
                loss, _, _ = self._loss(self.context.tensor(self.texts.batch(batch)), beta)
                self._descend(loss, encoder_alone=True)
        x = self.context.tensor(self.texts.batch(self.batches[step]))
        loss, reconstruction, kl = self._loss(x, beta)
        self._descend(loss)
        self.average.update(self.vae)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl}

    def _loss(self, x: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimised, the reconstruction's NLL and the KL, in nats a text."""
        train = self.train
        with self.context.fabric.autocast():
            mean, log_variance = self.vae.posterior(x)
            z = draw_posterior(mean, log_variance, self.noise)
            likelihoods = self._token_log_likelihood(x, z)
        reconstruction = -likelihoods.sum(1).mean()
        kl = kl_to_standard_normal(mean, log_variance).mean(0)
        floor = train.free_bits / len(kl)
        loss = reconstruction + beta * kl.clamp_min(floor).sum()
        if train.bag_of_words:
            loss = loss + train.bag_of_words * self._bag_of_words(x, z)
        return loss, reconstruction, kl.sum()

    def _token_log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return self.vae.decoder.token_log_likelihood(
            x,
            z,
            inputs=self._hide_words(x[:, :-1]),
            p=self.train.dropout,
            generator=self.noise,
        )

    def _descend(self, loss: Tensor, encoder_alone: bool = False) -> None:
        self.optimizer.zero_grad()
        self.context.fabric.backward(loss)
        if encoder_alone:
            for parameter in [*self.vae.decoder.parameters(), *self.words.parameters()]:
                parameter.grad = None
        clip_grad_norm_(self.weights, self.train.clip)
        self.optimizer.step()

    def _autoencode(self, step: int) -> dict[str, Tensor]:
        """A step on the reconstruction from the posterior's mean alone."""
        train = self.train
        rate = cosine(step, train.pretrain_steps, train.learning_rate) * ramp(step, _WARMUP)
        set_learning_rate(self.optimizer, rate)
        x = self.context.tensor(self.texts.batch(self.batches[step]))
        with self.context.fabric.autocast():
            mean, log_variance = self.vae.posterior(x)
            likelihoods = self._token_log_likelihood(x, mean)
        reconstruction = -likelihoods.sum(1).mean()
        self._descend(reconstruction)
        self.average.update(self.vae)
        kl = kl_to_standard_normal(mean, log_variance).sum(1).mean()
        return {"loss": reconstruction, "reconstruction": reconstruction, "kl": kl}

    def _forget_decoder(self) -> None:
        """A decoder as it was before training, but for the embedding: the encoder reads by it."""
        decoder = self.vae.decoder
        with seeded(derive_seed(self.context.seed, "decoder")):
            fresh = make_decoder(self.section, self.spec).state_dict()
        for name, value in decoder.state_dict().items():
            if name != "embedding.weight":
                value.copy_(fresh[name])
        start_at_frequencies(decoder.bias, self.texts)
        self.optimizer.state.clear()
        self.average.updates = 0
        self.average.module.load_state_dict(self.vae.state_dict())

    def _beta(self, position: int) -> float:
        cycle = math.ceil(self.train.steps / self.train.kl_cycles)
        return self.train.beta * ramp(position % cycle, self.train.kl_warmup * cycle)

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
        assert isinstance(vae, TextVAE)
        if vae.norm is not None:
            vae.take_statistics(self._some_texts())
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

    def _some_texts(self) -> list[Tensor]:
        """Training texts, the same each time."""
        random = numpy_generator(self.context.seed, "statistics")
        some = random.permutation(len(self.texts))[:_STATISTICS]
        some = some[np.argsort(self.texts.lengths[some], kind="stable")]
        parts = np.array_split(some, math.ceil(len(some) / _CHUNK))
        return [self.context.tensor(self.texts.batch(part)) for part in parts]

    def selects(self, step: int) -> str | None:
        return "" if step > self.train.pretrain_steps else None

    def result(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()


def build(context: Context, data: PreparedTexts, model: Model, train: Train) -> Recipe:
    return TextVAERecipe(context, data, model, train)
