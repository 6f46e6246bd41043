"""Training of a text GAN: maximum likelihood, the adversarial phase, and its fair control."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from genline.core.seeds import derive_seed
from genline.data.batches import BucketedBatches, ShuffledBatches
from genline.data.prepared import PreparedTexts
from genline.models.initialisation import seeded
from genline.models.networks.lstm_decoder import LSTMDecoder
from genline.models.text_gan.config import Model, Train
from genline.models.text_gan.discriminators import DISCRIMINATORS
from genline.models.text_gan.model import TextGAN
from genline.models.text_gan.objectives import OBJECTIVES, Texts
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import cosine, ramp

_WARMUP = 50  # steps over which the learning rate rises


class TextGANRecipe(Recipe):
    """Three phases by the number of the step, so that one checkpoint resumes any of them.

    After ``pretrain_steps`` the control takes over the generator's weights and optimiser state.
    The adversarial phase then trains the generator, and the last phase the control: on the same
    batches in the same order, at the same rates, both without dropout and with the same average.
    They differ in the adversarial gradient alone.
    """

    def __init__(self, context: Context, data: PreparedTexts, model: Model, train: Train) -> None:
        super().__init__()
        self.context, self.train, self.spec = context, train, data.spec
        self.steps = train.pretrain_steps + 2 * train.adversarial_steps
        self.validate_every = train.validate_every
        self.texts, self.held_out = data.split("train"), data.split("valid")
        self.batches = BucketedBatches(
            self.texts.lengths, train.batch, derive_seed(context.seed, "batches")
        )
        # What the discriminator calls real must not be of one length, as a bucket is: it would
        # learn the length of each batch and forget it at the next.
        self.judged = ShuffledBatches(
            len(self.texts), train.batch, derive_seed(context.seed, "judged")
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.gan = TextGAN(model, data.spec).to(context.device)
            make = DISCRIMINATORS[train.discriminator.network]
            self.discriminator = make(data.spec.vocabulary, model.embedding, model.hidden).to(
                context.device
            )
        self.gan.generator.learn_frequencies(self.texts)
        self.objective_terms = OBJECTIVES[train.objective](train).to(context.device)
        networks = {"generator": self.gan.generator, "control": self.gan.control}
        self.noise = context.generator("noise")
        self.modules = {
            **networks,
            "discriminator": self.discriminator,
            "objective": self.objective_terms,
        }
        self.optimizers = {
            name: torch.optim.AdamW(
                network.parameters(),
                betas=(0.9, 0.99),
                weight_decay=train.weight_decay,
                fused=True,
            )
            for name, network in networks.items()
        }
        self.optimizers["discriminator"] = torch.optim.Adam(
            self.discriminator.parameters(),
            train.discriminator.learning_rate,
            (0.5, 0.99),  # a short memory: what it tells apart changes at every step
            fused=True,
        )
        self.averages = {n: ExponentialAverage(m, train.ema) for n, m in networks.items()}
        self.generators = {"noise": self.noise}

    def step(self, step: int) -> dict[str, Tensor]:
        train = self.train
        if step < train.pretrain_steps:
            rate = cosine(step, train.pretrain_steps, train.learning_rate) * ramp(step, _WARMUP)
            loss = self._maximise_likelihood("generator", self._batch(step), rate, train.dropout)
            return {"loss": loss, "pretrain_loss": loss}
        if step == train.pretrain_steps:
            self._start_second_phase()
        phase, position = divmod(step - train.pretrain_steps, train.adversarial_steps)
        x = self._batch(train.pretrain_steps + position)
        rate = cosine(position, train.adversarial_steps, train.adversarial_learning_rate)
        if phase == 0:
            return self._play(x, rate, position)
        loss = self._maximise_likelihood("control", x, rate, 0.0)
        self.averages["control"].update(self.gan.control)
        return {"loss": loss, "control_loss": loss}

    def _batch(self, step: int) -> Tensor:
        return self.context.tensor(self.texts.batch(self.batches[step]))

    def _start_second_phase(self) -> None:
        generator = self.gan.generator
        self.gan.control.load_state_dict(generator.state_dict())
        # A deep copy: an optimiser that loads another's state would go on sharing its tensors.
        state = copy.deepcopy(self.optimizers["generator"].state_dict())
        self.optimizers["control"].load_state_dict(state)
        self.discriminator.start_from(generator)
        for average in self.averages.values():
            average.module.load_state_dict(generator.state_dict())

    def _maximise_likelihood(self, name: str, x: Tensor, rate: float, p: float) -> Tensor:
        network = self.gan.network(name)
        with self.context.fabric.autocast():
            likelihoods = network.token_log_likelihood(x, p=p, generator=self.noise)
        loss = -likelihoods.sum(1).mean()
        self._descend(loss, network, self.optimizers[name], rate)
        return loss

    def _play(self, x: Tensor, rate: float, position: int) -> dict[str, Tensor]:
        """One update of the discriminator, then one of the generator, whose anchor is ``x``."""
        train, terms, generator = self.train, self.objective_terms, self.gan.generator
        self.discriminator.requires_grad_(True)
        progress = position / train.adversarial_steps
        real = Texts(self.context.tensor(self.texts.batch(self.judged[position]))[:, 1:].T)
        with self.context.fabric.autocast():
            fake = terms.draw(generator, len(x), self.spec.max_tokens, progress, self.noise)
            on_real, on_fake = self._scores(real), self._scores(fake.detach())
            loss_d = terms.discriminator_loss(on_real, real.real, on_fake, fake.real)
        right = torch.cat([(on_real > 0)[real.real], (on_fake < 0)[fake.real]]).float().mean()
        self._descend(
            loss_d,
            self.discriminator,
            self.optimizers["discriminator"],
            train.discriminator.learning_rate,
        )

        self.discriminator.requires_grad_(False)
        with self.context.fabric.autocast():
            likelihood = -generator.token_log_likelihood(x).sum(1).mean()
            adversarial = terms.generator_loss(generator, self.discriminator, real, fake)
        loss = train.likelihood_weight * likelihood + train.adversarial_weight * adversarial
        self._descend(loss, generator, self.optimizers["generator"], rate)
        self.averages["generator"].update(generator)
        return {
            "loss": loss,
            "likelihood_loss": likelihood,
            "adversarial_loss": adversarial,
            "discriminator_loss": loss_d,
            "discriminator_accuracy": right,
        }

    def _scores(self, texts: Texts) -> Tensor:
        embedded = texts.embed(self.discriminator.embedding)
        scores: Tensor = self.discriminator(embedded, self.train.discriminator.dropout, self.noise)
        return scores.float()

    def _descend(
        self, loss: Tensor, network: torch.nn.Module, optimizer: Optimizer, rate: float
    ) -> None:
        set_learning_rate(optimizer, rate)
        optimizer.zero_grad()
        self.context.fabric.backward(loss)
        clip_grad_norm_(network.parameters(), self.train.clip)
        optimizer.step()

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """NLL on the validation split, nats a text, of what each phase has come to."""
        train = self.train
        if step <= train.pretrain_steps:
            return {"valid_loss": self._held_out_loss(self.gan.generator)}
        name = "generator" if step <= train.pretrain_steps + train.adversarial_steps else "control"
        average = self.averages[name].module
        assert isinstance(average, LSTMDecoder)
        loss = self._held_out_loss(average)
        return {"valid_loss": loss} | ({"valid_control_loss": loss} if name == "control" else {})

    def _held_out_loss(self, network: LSTMDecoder) -> float:
        order = np.argsort(self.held_out.lengths, kind="stable")
        parts = np.array_split(order, math.ceil(len(order) / 256))
        batches = (self.context.tensor(self.held_out.batch(part)) for part in parts)
        total = sum(float(network.log_likelihood(x).double().sum()) for x in batches)
        return -total / len(order)

    def result(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, average in self.averages.items()
            for key, value in average.module.state_dict().items()
        }


def build(context: Context, data: PreparedTexts, model: Model, train: Train) -> Recipe:
    return TextGANRecipe(context, data, model, train)
