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
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoding import sample_texts
from genline.models.networks.energy import energy_distance
from genline.models.networks.frequencies import start_at_frequencies
from genline.models.text_gan.combinations import refuse
from genline.models.text_gan.config import Model, Train
from genline.models.text_gan.discriminators import make_discriminator
from genline.models.text_gan.generators import draw_noise, reading
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
    They differ in the adversarial gradient alone. Objective ``mle`` has none, and so two phases:
    its generator is its control.

    A generator that reads noise is given other noise with every text, in maximum likelihood too:
    what is maximised then is a bound, E_z ln p(x|z) ≤ ln p(x), which is reached by a generator
    that makes nothing of its noise. What to make of it is for the adversarial phase to teach.

    Of either, the averaged state is kept whose samples are nearest to the validation texts, as
    what a GAN is for is its samples: likelihood would choose the state that the adversarial
    gradient has moved least. Of pretraining the last state goes on, at a rate fallen to 0.

    ``loss`` is the NLL of a batch under the network that learns, or its bound where that reads
    noise, nats a text, in every phase.
    """

    selects_by = "valid_distance"

    def __init__(self, context: Context, data: PreparedTexts, model: Model, train: Train) -> None:
        super().__init__()
        refuse(model, train)
        self.context, self.train, self.spec = context, train, data.spec
        self.latent, self.adversarial = model.latent, train.objective != "mle"
        phases = 2 if self.adversarial else 1
        self.steps = train.pretrain_steps + phases * train.adversarial_steps
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
            self.discriminator = make_discriminator(train.discriminator, model, data.spec)
        self.discriminator.to(context.device)
        start_at_frequencies(self.gan.generator.bias, self.texts)
        networks = {"generator": self.gan.generator, "control": self.gan.control}
        self.noise = context.generator("noise")
        self.modules = dict(networks)
        self.optimizers = {
            name: torch.optim.AdamW(
                network.parameters(),
                betas=(0.9, 0.99),
                weight_decay=train.weight_decay,
                fused=True,
            )
            for name, network in networks.items()
        }
        if self.adversarial:
            self._add_opponent()
        self.averages = {n: ExponentialAverage(m, train.ema) for n, m in networks.items()}
        self.generators = {"noise": self.noise}

    def _add_opponent(self) -> None:
        train = self.train
        self.objective = OBJECTIVES[train.objective](train, self.spec.max_tokens)
        self.objective.to(self.context.device)
        self.modules |= {"discriminator": self.discriminator, "objective": self.objective}
        self.optimizers["discriminator"] = torch.optim.Adam(
            self.discriminator.parameters(),
            train.discriminator.learning_rate,
            (0.5, 0.99),  # a short memory: what it tells apart changes at every step
            fused=True,
        )

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
        if phase == 0 and self.adversarial:
            return self._play(x, rate, position)
        name = "control" if phase else "generator"
        loss = self._maximise_likelihood(name, x, rate, 0.0)
        self.averages[name].update(self.gan.network(name))
        return {"loss": loss, "control_loss" if phase else "likelihood_loss": loss}

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
        z = self._draw_noise(len(x))
        with self.context.fabric.autocast():
            likelihoods = network.token_log_likelihood(x, z, p=p, generator=self.noise)
        loss = -likelihoods.sum(1).mean()
        self._descend(network, self.optimizers[name], rate, loss)
        return loss

    def _draw_noise(self, count: int) -> Tensor | None:
        return draw_noise(self.latent, count, self.noise, self.context.device)

    def _play(self, x: Tensor, rate: float, position: int) -> dict[str, Tensor]:
        """One update of the discriminator, then one of the generator, whose anchor is ``x``."""
        train, generator = self.train, self.gan.generator
        self.discriminator.requires_grad_(True)
        progress = position / train.adversarial_steps
        real = Texts(self.context.tensor(self.texts.batch(self.judged[position]))[:, 1:].T)
        drawn_from, anchored_at = self._draw_noise(len(x)), self._draw_noise(len(x))
        dropped = train.discriminator.dropout, self.noise
        with self.context.fabric.autocast():
            fake = self.objective.draw(generator, len(x), progress, self.noise, drawn_from)
            on_real = self.discriminator(real, *dropped)
            on_fake = self.discriminator(fake.detach(), *dropped)
            loss_d = self.objective.discriminator_loss(on_real, on_fake)
        right = self.objective.accuracy(on_real, on_fake)
        self._descend(
            self.discriminator,
            self.optimizers["discriminator"],
            train.discriminator.learning_rate,
            loss_d,
        )

        self.discriminator.requires_grad_(False)
        with self.context.fabric.autocast():
            likelihood = -generator.token_log_likelihood(x, anchored_at).sum(1).mean()
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
        assert isinstance(network, Decoder)
        loss, noise = self._held_out_loss(network), self.context.generator("validation")
        count = len(self.held_out_bags)
        z = draw_noise(self.latent, count, noise, self.context.device)
        samples = sample_texts(*reading(network, count, z), count, self.spec.max_tokens, noise)
        found = energy_distance(ngram_bags(samples), self.held_out_bags)
        return {
            "valid_loss": loss,
            "valid_distance": found.distance,
            "valid_distance_error": found.error,
        } | ({"valid_control_loss": loss} if name == "control" else {})

    def _held_out_loss(self, network: Decoder) -> float:
        """Nats a text; with the same noise each time, where the network reads it."""
        random, total = self.context.generator("held out"), 0.0
        for x in self.held_out:
            z = draw_noise(self.latent, len(x), random, self.context.device)
            total -= float(network.log_likelihood(x, z).double().sum())
        return total / sum(map(len, self.held_out))

    def result(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": value
            for name, average in self.averages.items()
            for key, value in average.module.state_dict().items()
        }

    def finish(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Without an opponent the control is the generator: the same steps on the same batches."""
        if self.adversarial:
            return weights
        own = "generator."
        kept = {k.removeprefix(own): v for k, v in weights.items() if k.startswith(own)}
        return {f"{name}.{k}": v.clone() for name in self.averages for k, v in kept.items()}


def build(context: Context, data: PreparedTexts, model: Model, train: Train) -> Recipe:
    return TextGANRecipe(context, data, model, train)
