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
from genline.models.networks.decoding import sample_texts
from genline.models.networks.energy import energy_distance
from genline.models.networks.frequencies import start_at_frequencies
from genline.models.networks.recurrent_decoder import LSTMDecoder
from genline.models.text_gan.config import Model, Train
from genline.models.text_gan.discriminators import DISCRIMINATORS
from genline.models.text_gan.model import TextGAN
from genline.models.text_gan.objectives import OBJECTIVES
from genline.models.text_gan.texts import Texts, ngram_bags
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

    Of either, the averaged state is kept whose samples are nearest to the validation texts, as
    what a GAN is for is its samples: likelihood would choose the state that the adversarial
    gradient has moved least. Of pretraining the last state goes on, at a rate fallen to 0.

    ``loss`` is the NLL of a batch under the network that learns, nats a text, in every phase.
    """

    selects_by = "valid_distance"

    def __init__(self, context: Context, data: PreparedTexts, model: Model, train: Train) -> None:
        super().__init__()
        self.context, self.train, self.spec = context, train, data.spec
        self.steps = train.pretrain_steps + 2 * train.adversarial_steps
        self.validate_every = train.validate_every
        self.phase_ends = frozenset(
            {train.pretrain_steps, train.pretrain_steps + train.adversarial_steps}
        )
        self.texts, valid = data.split("train"), data.split("valid")
        shortest_first = np.argsort(valid.lengths[: train.validate_texts], kind="stable")
        self.held_out = [
            context.tensor(valid.batch(part))
            for part in np.array_split(shortest_first, math.ceil(len(shortest_first) / 256))
        ]
        compared = np.arange(min(len(valid), train.validate_samples))
        self.held_out_bags = ngram_bags(context.tensor(valid.batch(compared))[:, 1:])
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
        start_at_frequencies(self.gan.generator.bias, self.texts)
        self.objective = OBJECTIVES[train.objective](train, data.spec.max_tokens)
        self.objective.to(context.device)
        networks = {"generator": self.gan.generator, "control": self.gan.control}
        self.noise = context.generator("noise")
        self.modules = {
            **networks,
            "discriminator": self.discriminator,
            "objective": self.objective,
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
        self._descend(network, self.optimizers[name], rate, loss)
        return loss

    def _play(self, x: Tensor, rate: float, position: int) -> dict[str, Tensor]:
        """One update of the discriminator, then one of the generator, whose anchor is ``x``."""
        train, generator = self.train, self.gan.generator
        self.discriminator.requires_grad_(True)
        progress = position / train.adversarial_steps
        real = Texts(self.context.tensor(self.texts.batch(self.judged[position]))[:, 1:].T)
        with self.context.fabric.autocast():
            fake = self.objective.draw(generator, len(x), progress, self.noise)
            on_real, on_fake = self._scores(real), self._scores(fake.detach())
            loss_d = self.objective.discriminator_loss(on_real, real.real, on_fake, fake.real)
        right = torch.cat([(on_real > 0)[real.real], (on_fake < 0)[fake.real]]).float().mean()
        self._descend(
            self.discriminator,
            self.optimizers["discriminator"],
            train.discriminator.learning_rate,
            loss_d,
        )

        self.discriminator.requires_grad_(False)
        with self.context.fabric.autocast():
            likelihood = -generator.token_log_likelihood(x).sum(1).mean()
            adversarial = self.objective.generator_loss(generator, self.discriminator, real, fake)
        self._descend(
            generator,
            self.optimizers["generator"],
            rate,
            likelihood,
            adversarial,
            weights=(train.likelihood_weight, train.adversarial_weight),
        )
        self.averages["generator"].update(generator)
        return {
            "loss": likelihood,
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
        self,
        network: torch.nn.Module,
        optimizer: Optimizer,
        rate: float,
        *losses: Tensor,
        weights: tuple[float, ...] = (1.0,),
    ) -> None:
        """One step along the gradients of ``losses``, each clipped by itself and then weighted.

        Clipped as one, a large gradient would scale the others down and hide their weights.
        """
        parameters = list(network.parameters())
        total = [torch.zeros_like(p) for p in parameters]
        for loss, weight in zip(losses, weights, strict=True):
            optimizer.zero_grad()
            self.context.fabric.backward(loss)
            clip_grad_norm_(parameters, self.train.clip)
            for gradient, parameter in zip(total, parameters, strict=True):
                if parameter.grad is not None:
                    gradient.add_(parameter.grad, alpha=weight)
        for gradient, parameter in zip(total, parameters, strict=True):
            parameter.grad = gradient
        set_learning_rate(optimizer, rate)
        optimizer.step()

    def selects(self, step: int) -> str | None:
        name = self._phase(step)
        return None if name is None else f"{name}."

    def _phase(self, step: int) -> str | None:
        """Whose second phase ``step`` steps have come to; None while pretraining."""
        position = step - self.train.pretrain_steps
        if position <= 0:
            return None
        return "generator" if position <= self.train.adversarial_steps else "control"

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """Of what each phase has come to, on the validation split: NLL, nats a text; and after
        pretraining the energy distance of as many samples as texts are compared, drawn with the
        same random numbers each time.
        """
        name = self._phase(step)
        if name is None:
            return {"valid_loss": self._held_out_loss(self.gan.generator)}
        network = self.averages[name].module
        assert isinstance(network, LSTMDecoder)
        loss, noise = self._held_out_loss(network), self.context.generator("validation")
        count = len(self.held_out_bags)
        samples = sample_texts(
            network.step, network.start(count), count, self.spec.max_tokens, noise
        )
        found = energy_distance(ngram_bags(samples), self.held_out_bags)
        return {
            "valid_loss": loss,
            "valid_distance": found.distance,
            "valid_distance_error": found.error,
        } | ({"valid_control_loss": loss} if name == "control" else {})

    def _held_out_loss(self, network: LSTMDecoder) -> float:
        total = sum(float(network.log_likelihood(x).double().sum()) for x in self.held_out)
        return -total / sum(map(len, self.held_out))

    def result(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, average in self.averages.items()
            for key, value in average.module.state_dict().items()
        }


def build(context: Context, data: PreparedTexts, model: Model, train: Train) -> Recipe:
    return TextGANRecipe(context, data, model, train)
