"""Training of an image GAN: discriminator and generator updates, penalties, EMA."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genline.core.seeds import derive_seed
from genline.data.batches import ShuffledBatches
from genline.data.prepared import PreparedImages
from genline.models.image_gan.codes import information
from genline.models.image_gan.combinations import refuse
from genline.models.image_gan.config import Model, Train
from genline.models.image_gan.discriminators import make_discriminator
from genline.models.image_gan.model import ImageGAN
from genline.models.image_gan.objectives import OBJECTIVES
from genline.models.image_gan.regularisers import (
    clip_weights,
    feature_matching,
    gradient_penalty,
    squared_gradient,
)
from genline.models.initialisation import seeded
from genline.models.networks.batch_norm import settling
from genline.models.networks.pixels import normalise
from genline.training.engine.adversaries import (
    SETTLING,
    ValidationDistance,
    gradient_norm,
    measured_every,
)
from genline.training.engine.augmentation import augment
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import linear_decay

_BEST, _LAST = "generator.", "last."  # how the names of the weights of either begin


class ImageGANRecipe(Recipe):
    """Both networks see the same generated batch, so a step runs the generator once.

    Gradient penalties are computed every ``r1_every`` steps and weighted by as much (Karras et
    al. 2020, appendix B, lazy regularisation). The averaged generator is kept in the state whose
    images came nearest to the validation split, since adversarial training need not end at its
    best. ``loss`` is the generator's.
    """

    selects_by = "valid_distance"

    def __init__(self, context: Context, data: PreparedImages, model: Model, train: Train) -> None:
        super().__init__()
        refuse(model, train, data.spec.shape, data.spec.classes)
        self.context, self.train, self.steps = context, train, train.steps
        self.validate_every, self.spec = train.validate_every, data.spec
        self.measure_every = measured_every(train.steps)
        # All real images, as grey levels on the device.
        real = data.split("train")
        self.images = context.tensor(real.images)
        self.labels = context.tensor(real.labels) if model.conditional else None
        self.distance = ValidationDistance(context, data)
        self.batches = ShuffledBatches(
            len(self.images), train.batch, derive_seed(context.seed, "batches")
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.gan = ImageGAN(model, data.spec).to(context.device)
            self.discriminator = make_discriminator(
                train.discriminator,
                data.spec,
                energy=train.objective == "energy",
                classes=self.gan.classes,
                codes=model.codes,
            ).to(context.device)
        if self.labels is not None:
            # Counted on the CPU: not every device does it the same way twice.
            counts = torch.bincount(self.labels.cpu(), minlength=data.spec.classes)
            self.gan.get_buffer("class_shares").copy_(counts / len(self.labels))
        self.objective = OBJECTIVES[train.objective](train)
        # Where an output depends on the batch, a batch of one kind alone is what is judged.
        judge = train.discriminator
        self.apart = judge.norm == "batch" or judge.minibatch_kernels > 0
        self.average = ExponentialAverage(self.gan, train.ema)
        betas = (train.beta1, train.beta2)
        self.optimizer_g, self.optimizer_d = (
            torch.optim.Adam(network.parameters(), train.learning_rate, betas, fused=True)
            for network in (self.gan, self.discriminator)
        )
        self.noise = context.generator("latents")
        self.changes = context.generator("augmentation")
        self.modules = {"gan": self.gan, "discriminator": self.discriminator}
        self.optimizers = {"gan": self.optimizer_g, "discriminator": self.optimizer_d}
        self.averages = {"gan": self.average}
        self.generators = {"latents": self.noise, "augmentation": self.changes}

    def step(self, step: int) -> dict[str, Tensor]:
        self._set_rates(step)
        figures: dict[str, Tensor] = {}
        self.discriminator.requires_grad_(True)
        repeats = self.train.discriminator_steps
        for repeat in range(repeats):
            indices = self.context.tensor(self.batches[step * repeats + repeat])
            real = normalise(self.images[indices], self.spec.levels)
            real = augment(real, self.train.augment, self.changes)
            labels = None if self.labels is None else self.labels[indices]
            noise = self.gan.draw_noise(len(real), self.noise)
            # The last batch's images are the generator's too.
            with torch.set_grad_enabled(repeat == repeats - 1), self.context.fabric.autocast():
                # float32 from here on: penalties are differentiated outside of autocast.
                fake = self.gan.generate(noise, labels).float()
            figures |= self._update_discriminator(step, real, fake.detach(), labels, noise)
        self.discriminator.requires_grad_(False)
        figures = self._update_generator(step, real, fake, labels, noise) | figures
        self.average.update(self.gan)
        return figures

    def _update_discriminator(
        self, step: int, real: Tensor, fake: Tensor, labels: Tensor | None, noise: Tensor
    ) -> dict[str, Tensor]:
        real, fake = self._changed(real), self._changed(fake)
        on_real, on_fake, features = self._judged(real, fake, labels)
        loss = self.objective.discriminator(on_real, on_fake)
        figures = {
            "discriminator_loss": loss,
            "discriminator_accuracy": self.objective.accuracy(on_real, on_fake),
        }
        loss = self._informed(loss, features, noise, figures)
        if step % self.train.r1_every == 0:
            loss = loss + self._penalties(real, fake, labels, figures)
        self._apply(loss, self.discriminator, self.optimizer_d)
        if step % self.measure_every == 0:
            figures["discriminator_gradient"] = gradient_norm(self.discriminator)
        if self.train.clip_weights:
            clip_weights(self.discriminator, self.train.clip_weights)
        return figures

    def _update_generator(
        self, step: int, real: Tensor, fake: Tensor, labels: Tensor | None, noise: Tensor
    ) -> dict[str, Tensor]:
        fake = self._changed(fake)
        features, on_fake = self._read(fake, labels)
        wanted, on_real = features, on_fake
        if self.objective.paired or self.train.feature_matching:
            with torch.no_grad():
                wanted, on_real = self._read(self._changed(real), labels)
        loss = self.objective.generator(on_real, on_fake)
        figures = {"loss": loss}
        loss = self._informed(loss, features, noise, figures)
        if self.train.feature_matching:
            figures["feature_matching"] = feature_matching(wanted, features)
            loss = loss + self.train.feature_matching * figures["feature_matching"]
        self._apply(loss, self.gan, self.optimizer_g)
        if step % self.measure_every == 0:
            figures["generator_gradient"] = gradient_norm(self.gan)
        return figures

    def _judged(
        self, real: Tensor, fake: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The discriminator's outputs on real and on generated images, and features of these."""
        if self.apart:
            _, on_real = self._read(real, labels)
            features, on_fake = self._read(fake, labels)
            return on_real, on_fake, features
        both = None if labels is None else labels.repeat(2)
        features, outputs = self._read(torch.cat([real, fake]), both)
        on_real, on_fake = outputs.chunk(2)
        return on_real, on_fake, features[len(real) :]

    def _read(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """The discriminator's features (batch, features) and outputs (batch,), in float32."""
        with self.context.fabric.autocast():
            features = self.discriminator.features(images)
            outputs = self.discriminator.judge(features, images, labels)
        return features.float(), outputs.float()

    def _penalties(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, figures: dict[str, Tensor]
    ) -> Tensor:
        train, total = self.train, torch.zeros((), device=real.device)

        def outputs(images: Tensor) -> Tensor:
            judged: Tensor = self.discriminator(images, labels)
            return judged

        if train.r1_gamma > 0:
            figures["squared_gradient"] = squared_gradient(outputs, real)
            total = 0.5 * train.r1_gamma * train.r1_every * figures["squared_gradient"]
        if train.r2_gamma > 0:
            figures["squared_gradient_generated"] = squared_gradient(outputs, fake)
            weight = 0.5 * train.r2_gamma * train.r1_every
            total = total + weight * figures["squared_gradient_generated"]
        if train.gradient_penalty > 0:
            penalty = gradient_penalty(outputs, real, fake, self.noise)
            figures["gradient_penalty"] = penalty
            total = total + train.gradient_penalty * train.r1_every * penalty
        return total

    def _informed(
        self, loss: Tensor, features: Tensor, noise: Tensor, figures: dict[str, Tensor]
    ) -> Tensor:
        """``loss`` less what the features of generated images tell of their codes, if any.

        Chen et al. 2016, equation 6: both networks learn to pass the codes on.
        """
        if self.discriminator.reader is None:
            return loss
        drawn = noise[:, self.gan.latent :]
        told = information(self.discriminator.reader(features), drawn, self.gan.codes)
        figures["code_information"] = told
        return loss - self.train.information * told

    def _changed(self, images: Tensor) -> Tensor:
        return augment(images, self.train.diff_augment, self.changes)

    def _set_rates(self, step: int) -> None:
        decay = linear_decay(step, self.steps, self.train.decay)
        rate = self.train.learning_rate
        other = self.train.discriminator_learning_rate
        set_learning_rate(self.optimizer_g, rate * decay)
        set_learning_rate(self.optimizer_d, (rate if other is None else other) * decay)

    def _apply(self, loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        self.context.fabric.backward(loss)
        optimizer.step()

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """Energy distance of the averaged generator's images to the validation split."""
        gan = self.average.module
        assert isinstance(gan, ImageGAN)
        self._settle(gan)
        return self.distance.of(gan)

    def _settle(self, gan: ImageGAN) -> None:
        """Statistics of batch normalisation of the averaged weights themselves."""
        noise = self.context.generator("statistics")
        with settling(gan) as wanted:
            for _ in range(SETTLING if wanted else 0):
                labels = gan.draw_labels(self.train.batch, noise) if gan.classes else None
                gan.generate(gan.draw_noise(self.train.batch, noise), labels)

    def result(self) -> dict[str, Tensor]:
        state = self.average.module.state_dict()
        return state | {n: state[n.replace(_LAST, _BEST, 1)] for n in state if n.startswith(_LAST)}

    def selects(self, step: int) -> str:
        return _BEST  # all else, the last generator where it is kept, is of the last step


def build(context: Context, data: PreparedImages, model: Model, train: Train) -> Recipe:
    return ImageGANRecipe(context, data, model, train)
