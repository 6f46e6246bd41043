"""Training of an image VAE: the evidence lower bound, then the samplers of its latents."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from genline.core.errors import ParamsError
from genline.core.seeds import derive_seed
from genline.data.batches import ShuffledBatches
from genline.data.prepared import ImageSplit, PreparedImages
from genline.models.image_vae.config import Model, Train
from genline.models.image_vae.model import ImageVAE
from genline.models.image_vae.samplers.mixture import ClassMixtures, GaussianMixture, fit_mixture
from genline.models.image_vae.samplers.second_stage import fit_second_stage
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
        if model.mean_norm and train.batch < 2:
            raise ParamsError(
                "batch is 1, and mean_norm takes its statistics over a batch; use a batch of 2 or "
                "more, or set mean_norm to 0"
            )
        splits = data.split("train"), data.split("valid")
        self.batches = ShuffledBatches(
            len(splits[0]), train.batch, derive_seed(context.seed, "batches")
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.vae = ImageVAE(model, data.spec).to(context.device)
        self.images, self.held_out = (self._seen(split) for split in splits)
        if self.vae.labels is not None:
            counts = torch.bincount(_labels(self.images), minlength=data.spec.classes)
            self.vae.labels.counts.copy_(counts)
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
        self._take_statistics(vae)
        noise = self.context.generator("mixture")
        if vae.gmm is not None:
            self._fit_mixtures(vae, noise)
        if vae.second_stage is not None:
            latents, labels = self._latents(vae, self.images, noise)
            codes = vae.labels.codes(labels) if vae.labels is not None else latents[:, :0]
            fit_second_stage(
                vae.second_stage,
                latents,
                codes,
                self.train.second_stage_steps,
                self.context.generator("second stage"),
            )
        return vae.state_dict()

    def _take_statistics(self, vae: ImageVAE) -> None:
        """Those that lag behind the weights while these change, and belong to others' averages."""
        if vae.mean_norm is not None:
            parts = torch.split(self.images, _CHUNK)
            vae.mean_norm.take_statistics(torch.cat([vae.raw_posterior(x)[0] for x in parts]))
        if not vae.modelled.discrete:
            noise = self.context.generator("scale")
            vae.likelihood.fit(
                vae.parameters_of(x, draw_posterior(*vae.posterior(x), noise))
                for x in torch.split(self.held_out, _CHUNK)
            )

    def _fit_mixtures(self, vae: ImageVAE, noise: torch.Generator) -> None:
        """One mixture, or one a class; the number of components is chosen on held-out images."""
        images = self.images
        if len(images) > self.train.gmm_most:  # any of them: their order may be by class
            order = self.context.generator("mixture", "images")
            chosen = torch.randperm(len(images), generator=order, device=self.context.device)
            images = images[chosen[: self.train.gmm_most]]
        latents, labels = self._latents(vae, images, noise)
        held_out, held_labels = self._latents(vae, self.held_out, noise)
        seed = derive_seed(self.context.seed, "mixture", "start")
        parts: list[tuple[nn.Module | None, Tensor, Tensor]] = [(vae.gmm, latents, held_out)]
        if isinstance(vae.gmm, ClassMixtures):
            parts = [
                (mixture, latents[labels == label], held_out[held_labels == label])
                for label, mixture in enumerate(vae.gmm.of_class)
            ]
        for mixture, some, others in parts:
            if len(some) < 2:
                continue  # no such image was seen: N(0, I) stays
            assert isinstance(mixture, GaussianMixture)
            fit_mixture(
                mixture,
                some.double().cpu().numpy(),
                others.double().cpu().numpy(),
                self.section.gmm_components,
                self.train.gmm_regularisation,
                seed,
            )

    def _latents(
        self, vae: ImageVAE, images: Tensor, noise: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Posterior draws, float32 (gmm_draws · n, latent), and the label of each."""
        draws = [
            draw_posterior(*vae.posterior(x), noise, self.train.gmm_draws).flatten(0, 1)
            for x in torch.split(images, _CHUNK)
        ]
        labels = [_labels(x).repeat(self.train.gmm_draws) for x in torch.split(images, _CHUNK)]
        return torch.cat(draws), torch.cat(labels)

    def _seen(self, split: ImageSplit) -> Tensor:
        """What the model is fed: the images of a split on the device, labels in them if wanted."""
        images = self.context.tensor(split.images)
        labels = None if split.labels is None else self.context.tensor(split.labels)
        return self.vae.labelled(images, labels)


def _labels(x: Tensor) -> Tensor:
    """int64 (batch,): the last plane's, which are labels where the model is class-conditional."""
    return x[:, -1, 0, 0].long()


def build(context: Context, data: PreparedImages, model: Model, train: Train) -> Recipe:
    return ImageVAERecipe(context, data, model, train)
