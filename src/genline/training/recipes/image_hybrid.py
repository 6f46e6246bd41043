"""Training of hybrids: an autoencoder whose latents, or whose images, an adversary looks at."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from genline.core.seeds import derive_seed
from genline.data.batches import ShuffledBatches
from genline.data.prepared import ImageSpec, PreparedImages
from genline.models.image_hybrid.config import Model, Train
from genline.models.image_hybrid.model import ImageHybrid
from genline.models.initialisation import seeded
from genline.models.networks.batch_norm import settling
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal
from genline.models.networks.image_encoders import image_encoder
from genline.models.networks.mlp import mlp
from genline.models.networks.pixels import normalise
from genline.models.networks.spectral import normalise_spectra
from genline.training.engine.adversaries import (
    SETTLING,
    ValidationDistance,
    gradient_norm,
    measured_every,
)
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import linear_decay


class Adversary(nn.Module):
    """Features and one output of images or of latents; larger for real ones."""

    def __init__(self, train: Train, latent: int, spec: ImageSpec) -> None:
        super().__init__()
        section = train.discriminator
        if train.objective == "vae_gan":
            self.body = image_encoder(section.network, spec.shape, section.width, section.layers)
            features = cast(int, self.body.features)
        else:
            hidden = mlp([latent, *[section.width] * section.layers])
            self.body, features = nn.Sequential(hidden, nn.LeakyReLU(0.2)), section.width
        self.output = nn.Linear(features, 1)
        if section.norm == "spectral":
            normalise_spectra(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (batch, features) and outputs (batch,)."""
        features: Tensor = self.body(x)
        return features, self.output(features).flatten(0)


class ImageHybridRecipe(Recipe):
    """Each step updates the adversary, then the autoencoder. ``loss`` is the autoencoder's.

    What is kept is the averaged autoencoder in the state whose samples from the prior came
    nearest to the validation split, by the energy distance of the image GAN.
    """

    selects_by = "valid_distance"

    def __init__(self, context: Context, data: PreparedImages, model: Model, train: Train) -> None:
        super().__init__()
        self.context, self.train, self.steps = context, train, train.steps
        self.validate_every, self.spec = train.validate_every, data.spec
        self.measure_every = measured_every(train.steps)
        self.images = context.tensor(data.split("train").images)
        self.distance = ValidationDistance(context, data)
        self.batches = ShuffledBatches(
            len(self.images), train.batch, derive_seed(context.seed, "batches")
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.hybrid = ImageHybrid(model, data.spec).to(context.device)
            self.adversary = Adversary(train, model.latent, data.spec).to(context.device)
        self.average = ExponentialAverage(self.hybrid, train.ema)
        betas = (train.beta1, train.beta2)
        self.optimizer, self.optimizer_d = (
            torch.optim.Adam(network.parameters(), train.learning_rate, betas, fused=True)
            for network in (self.hybrid, self.adversary)
        )
        self.noise = context.generator("latents")
        self.modules = {"hybrid": self.hybrid, "adversary": self.adversary}
        self.optimizers = {"hybrid": self.optimizer, "adversary": self.optimizer_d}
        self.averages = {"hybrid": self.average}
        self.generators = {"latents": self.noise}

    def step(self, step: int) -> dict[str, Tensor]:
        self._set_rates(step)
        indices = self.context.tensor(self.batches[step])
        x = normalise(self.images[indices], self.spec.levels)
        shape = (len(x), self.hybrid.latent)
        prior = torch.randn(shape, generator=self.noise, device=self.context.device)
        with self.context.fabric.autocast():
            mean, log_variance = self.hybrid.posterior(x)
            z = draw_posterior(mean, log_variance, self.noise)
            rebuilt = self.hybrid.generate(z)
        if self.train.objective == "vae_gan":
            kl = kl_to_standard_normal(mean.float(), log_variance.float()).sum(1).mean()
            figures = self._vae_gan(x, rebuilt, z, prior, kl)
        else:
            figures = self._adversarial_autoencoder(x, rebuilt, z, prior)
        if step % self.measure_every == 0:
            figures["generator_gradient"] = gradient_norm(self.hybrid)
            figures["discriminator_gradient"] = gradient_norm(self.adversary)
        self.average.update(self.hybrid)
        return figures

    def _adversarial_autoencoder(
        self, x: Tensor, rebuilt: Tensor, z: Tensor, prior: Tensor
    ) -> dict[str, Tensor]:
        """Makhzani et al. 2016, section 2: squared error, and latents that pass for the prior's."""
        figures = self._update_adversary(prior, z.detach())
        reconstruction = 0.5 * (rebuilt - x).float().square().flatten(1).sum(1).mean()
        with self.context.fabric.autocast():
            _, taken = self.adversary(z)
        deceit = softplus(-taken.float()).mean()
        return self._update_hybrid(reconstruction, deceit, reconstruction) | figures

    def _vae_gan(
        self, x: Tensor, rebuilt: Tensor, z: Tensor, prior: Tensor, kl: Tensor
    ) -> dict[str, Tensor]:
        """Larsen et al. 2016, algorithm 1: the error is that of the adversary's features.

        The encoder minimises KL + error, the decoder error + ``adversarial`` · deceit, which is
        theirs divided by γ: a decoded z carries no gradient of the deceit to the encoder.
        """
        with self.context.fabric.autocast():
            decoded = self.hybrid.generate(torch.cat([z.detach(), prior]))
        figures = self._update_adversary(x, decoded.detach())
        with self.context.fabric.autocast():
            _, taken = self.adversary(decoded)
            features, _ = self.adversary(rebuilt)
            with torch.no_grad():
                wanted, _ = self.adversary(x)
        error = 0.5 * (features - wanted).float().square().sum(1).mean()
        deceit = softplus(-taken.float()).mean()
        return self._update_hybrid(error, deceit, error + self.train.beta * kl) | {
            "kl": kl,
            **figures,
        }

    def _update_adversary(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        self.adversary.requires_grad_(True)
        with self.context.fabric.autocast():
            _, outputs = self.adversary(torch.cat([real, fake]))
        on_real, on_fake = outputs.float().split([len(real), len(fake)])
        loss = softplus(-on_real).mean() + softplus(on_fake).mean()
        self.optimizer_d.zero_grad()
        self.context.fabric.backward(loss)
        self.optimizer_d.step()
        self.adversary.requires_grad_(False)
        told = 0.5 * ((on_real > 0).float().mean() + (on_fake < 0).float().mean())
        return {"discriminator_loss": loss, "discriminator_accuracy": told}

    def _update_hybrid(
        self, reconstruction: Tensor, deceit: Tensor, loss: Tensor
    ) -> dict[str, Tensor]:
        loss = loss + self.train.adversarial * deceit
        self.optimizer.zero_grad()
        self.context.fabric.backward(loss)
        self.optimizer.step()
        return {"loss": loss, "reconstruction": reconstruction, "adversarial_loss": deceit}

    def _set_rates(self, step: int) -> None:
        decay = linear_decay(step, self.steps, self.train.decay)
        rate, other = self.train.learning_rate, self.train.discriminator_learning_rate
        set_learning_rate(self.optimizer, rate * decay)
        set_learning_rate(self.optimizer_d, (rate if other is None else other) * decay)

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """Energy distance of samples from the prior to the validation split, and the squared
        error of its reconstructions, a pixel of the range [−1, 1]; the same latents every time."""
        hybrid, statistics = self.average.module, self.context.generator("statistics")
        assert isinstance(hybrid, ImageHybrid)
        with settling(hybrid) as wanted:
            for _ in range(SETTLING if wanted else 0):
                shape = (self.train.batch, hybrid.latent)
                noise = torch.randn(shape, generator=statistics, device=self.context.device)
                hybrid.generate(noise)
        real = self.distance.images
        rebuilt = hybrid.generate(hybrid.posterior(real)[0])
        error = float((rebuilt - real).double().square().mean())
        return {**self.distance.of(hybrid), "valid_squared_error": error}

    def result(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()


def build(context: Context, data: PreparedImages, model: Model, train: Train) -> Recipe:
    return ImageHybridRecipe(context, data, model, train)
