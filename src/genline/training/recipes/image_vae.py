"""Training of an image VAE: the evidence lower bound, then a mixture over its latents."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from genline.core.seeds import derive_seed
from genline.data.batches import ShuffledBatches
from genline.data.prepared import PreparedImages
from genline.models.image_vae.config import Model, Train
from genline.models.image_vae.model import ImageVAE
from genline.models.image_vae.samplers import Latents, fit_mixture
from genline.models.initialisation import seeded
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import cosine, ramp

_CHUNK = 1024  # images encoded at once outside training


class ImageVAERecipe(Recipe):
    """Sum over pixels, mean over the batch, β from 0 to its value, free bits a dimension.

    The averaged weights are judged on the validation split by −ELBO at β = 1, whatever the β of
    training, and the best are kept.
    """

    selects_by = "valid_loss"

    def __init__(self, context: Context, data: PreparedImages, model: Model, train: Train) -> None:
        super().__init__()
        self.context, self.section, self.train = context, model, train
        self.steps, self.validate_every = train.steps, train.validate_every
        self.images = context.tensor(data.split("train").images)
        self.held_out = context.tensor(data.split("valid").images)
        self.batches = ShuffledBatches(
            len(self.images), train.batch, derive_seed(context.seed, "batches")
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.vae = ImageVAE(model, data.spec).to(context.device)
        self.average = ExponentialAverage(self.vae, train.ema)
        self.optimizer = torch.optim.AdamW(
            self.vae.parameters(), train.learning_rate, weight_decay=train.weight_decay, fused=True
        )
        self.noise = context.generator("posterior")
        self.modules = {"vae": self.vae}
        self.optimizers = {"vae": self.optimizer}
        self.averages = {"vae": self.average}
        self.generators = {"posterior": self.noise}

    def step(self, step: int) -> dict[str, Tensor]:
        set_learning_rate(self.optimizer, cosine(step, self.steps, self.train.learning_rate))
        x = self.images[self.context.tensor(self.batches[step])]
        with self.context.fabric.autocast():
            mean, log_variance = self.vae.posterior(x)
            z = draw_posterior(mean, log_variance, self.noise)
            reconstruction = -self.vae.log_likelihood(x, z).mean()
        kl = kl_to_standard_normal(mean, log_variance).mean(0)
        beta = self.train.beta * ramp(step, self.train.kl_warmup * self.steps)
        loss = reconstruction + beta * kl.clamp_min(self.train.free_bits).sum()
        self.optimizer.zero_grad()
        self.context.fabric.backward(loss)
        clip_grad_norm_(self.vae.parameters(), self.train.clip)
        self.optimizer.step()
        self.average.update(self.vae)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl.sum()}

    @torch.no_grad()
    def validate(self, step: int) -> dict[str, float]:
        """−ELBO, its two terms, in nats an image: the same posterior noise every time."""
        vae, noise = self.average.module, self.context.generator("validation")
        assert isinstance(vae, ImageVAE)
        reconstruction = kl = 0.0
        for x in torch.split(self.held_out, _CHUNK):
            mean, log_variance = vae.posterior(x)
            z = draw_posterior(mean, log_variance, noise)
            reconstruction -= float(vae.log_likelihood(x, z).double().sum())
            kl += float(kl_to_standard_normal(mean, log_variance).double().sum())
        reconstruction, kl = reconstruction / len(self.held_out), kl / len(self.held_out)
        return {
            "valid_loss": reconstruction + kl,
            "valid_reconstruction": reconstruction,
            "valid_kl": kl,
        }

    def result(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()

    @torch.no_grad()
    def finish(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        vae = self.average.module
        assert isinstance(vae, ImageVAE)
        vae.load_state_dict(weights)
        noise = self.context.generator("mixture")
        fit_mixture(
            vae.gmm,
            self._latents(vae, self.images, noise),
            self._latents(vae, self.held_out, noise),
            self.section.gmm_components,
            self.train.gmm_regularisation,
            derive_seed(self.context.seed, "mixture", "start"),
        )
        return vae.state_dict()

    def _latents(self, vae: ImageVAE, images: Tensor, noise: torch.Generator) -> Latents:
        """Posterior draws, float64 (gmm_draws · n, latent)."""
        draws = [
            draw_posterior(*vae.posterior(x), noise, self.train.gmm_draws).flatten(0, 1)
            for x in torch.split(images, _CHUNK)
        ]
        return torch.cat(draws).double().cpu().numpy()


def build(context: Context, data: PreparedImages, model: Model, train: Train) -> Recipe:
    return ImageVAERecipe(context, data, model, train)
