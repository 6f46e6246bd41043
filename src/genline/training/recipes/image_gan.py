"""Training of an image GAN: one discriminator and one generator update a step, lazy R1, EMA."""

from __future__ import annotations

import torch
from torch import Tensor

from genline.core.seeds import derive_seed
from genline.data.batches import ShuffledBatches
from genline.data.prepared import PreparedImages, SplitName
from genline.models.image_gan.config import Model, Train
from genline.models.image_gan.discriminators import DISCRIMINATORS
from genline.models.image_gan.model import ImageGAN
from genline.models.image_gan.objectives import OBJECTIVES, squared_gradient
from genline.models.initialisation import seeded
from genline.models.networks.energy import energy_distance
from genline.models.networks.pixels import normalise
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import linear_decay

_SPLITS: tuple[SplitName, ...] = ("train", "valid")
_VALIDATION_SAMPLES = 1000


class ImageGANRecipe(Recipe):
    """Both networks see the same generated batch, so a step runs the generator once.

    The gradient penalty is computed every ``r1_every`` steps and weighted by as much (Karras et
    al. 2020, appendix B, lazy regularisation). The averaged generator is kept in the state whose
    images came nearest to the validation split, since adversarial training need not end at its
    best. ``loss`` is the generator's.
    """

    selects_by = "valid_distance"

    def __init__(self, context: Context, data: PreparedImages, model: Model, train: Train) -> None:
        super().__init__()
        self.context, self.train, self.steps = context, train, train.steps
        self.latent = model.latent
        self.validate_every, self.levels = train.validate_every, data.spec.levels
        # All real images as the networks see them: float32, on the device.
        self.images, self.held_out = (
            normalise(context.tensor(data.split(name).images), self.levels) for name in _SPLITS
        )
        self.batches = ShuffledBatches(
            len(self.images), train.batch, derive_seed(context.seed, "batches")
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.gan = ImageGAN(model, data.spec).to(context.device)
            make = DISCRIMINATORS[train.discriminator.network]
            self.discriminator = make(train.discriminator, data.spec).to(context.device)
        self.objective = OBJECTIVES[train.objective]
        self.average = ExponentialAverage(self.gan, train.ema)
        betas = (train.beta1, train.beta2)
        self.optimizer_g, self.optimizer_d = (
            torch.optim.Adam(network.parameters(), train.learning_rate, betas, fused=True)
            for network in (self.gan, self.discriminator)
        )
        self.noise = context.generator("latents")
        self.modules = {"gan": self.gan, "discriminator": self.discriminator}
        self.optimizers = {"gan": self.optimizer_g, "discriminator": self.optimizer_d}
        self.averages = {"gan": self.average}
        self.generators = {"latents": self.noise}

    def step(self, step: int) -> dict[str, Tensor]:
        fabric, terms = self.context.fabric, self.objective
        rate = self.train.learning_rate * linear_decay(step, self.steps, self.train.decay)
        set_learning_rate(self.optimizer_g, rate)
        set_learning_rate(self.optimizer_d, rate)
        real = self.images[self.context.tensor(self.batches[step])]
        z = torch.randn(len(real), self.latent, generator=self.noise, device=self.context.device)
        figures: dict[str, Tensor] = {}

        self.discriminator.requires_grad_(True)
        with fabric.autocast():
            fake = self.gan.generator(z)
            on_real, on_fake = self.discriminator(torch.cat([real, fake.detach()])).chunk(2)
        loss_d = terms.discriminator(on_real.float(), on_fake.float())
        figures["discriminator_loss"] = loss_d
        figures["discriminator_accuracy"] = torch.cat([on_real > 0, on_fake < 0]).float().mean()
        if self.train.r1_gamma > 0 and step % self.train.r1_every == 0:
            penalty = squared_gradient(self.discriminator, real)
            loss_d = loss_d + 0.5 * self.train.r1_gamma * self.train.r1_every * penalty
            figures["squared_gradient"] = penalty
        self.optimizer_d.zero_grad()
        fabric.backward(loss_d)
        self.optimizer_d.step()

        self.discriminator.requires_grad_(False)
        with fabric.autocast():
            on_fake = self.discriminator(fake)
        loss_g = terms.generator(on_fake.float())
        self.optimizer_g.zero_grad()
        fabric.backward(loss_g)
        self.optimizer_g.step()
        self.average.update(self.gan)
        return {"loss": loss_g, **figures}

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """Energy distance of the averaged generator's images to the validation split.

        The same latents every time, so that its course is the generator's and not the draw's.
        """
        gan, noise = self.average.module, self.context.generator("validation")
        assert isinstance(gan, ImageGAN)
        generated = normalise(gan.sample(_VALIDATION_SAMPLES, noise), self.levels)
        found = energy_distance(generated, self.held_out)
        return {"valid_distance": found.distance, "valid_distance_error": found.error}

    def result(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()


def build(context: Context, data: PreparedImages, model: Model, train: Train) -> Recipe:
    return ImageGANRecipe(context, data, model, train)
