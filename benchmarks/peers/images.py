"""What `image_quality.py` holds genline's image models against, each for a time of one core.

pythae's VAE with its Gaussian mixture, by its own trainer, networks and settings for MNIST, and a
plain DCGAN after Radford et al. 2016. Neither has a schedule, so one training gives the states at
several times; each state is handed over as a model that samples grey levels.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from genline.models.base import GenerativeModel

Images = npt.NDArray[np.uint8]
Draw = Callable[[int, torch.Generator], Tensor]
NETWORKS = ("mlp", "conv", "resnet")  # of pythae
BATCH = 100  # pythae's configuration for MNIST, as are its 16 latents and rate of 1e-3


class Sampler(GenerativeModel):
    """A peer: ``draw(count, generator)`` gives values of [0, 1], (count, channels, h, w)."""

    def __init__(self, draw: Draw, levels: int) -> None:
        super().__init__()
        self.draw, self.levels = draw, levels

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        self.check_variant(variant)
        return (self.draw(count, generator) * (self.levels - 1)).round().clamp(0, 255).byte()


class Clock:
    """Core seconds since it was made, without those spent at ``pause``."""

    def __init__(self) -> None:
        self.began = time.process_time()

    @property
    def seconds(self) -> float:
        return time.process_time() - self.began

    def pause(self, doing: Callable[[], None]) -> None:
        before = time.process_time()
        doing()
        self.began += time.process_time() - before


class _OutOfTimeError(Exception):
    """Ends pythae's trainer, which knows epochs alone."""


def pythae_vae(
    train: Images,
    valid: Images,
    network: str,
    times: Sequence[float],
    seed: int,
    levels: int,
    told: Callable[[float, int, Sampler], None],
) -> None:
    """Train pythae's VAE and tell its sampler after each of ``times``, in core seconds.

    The mixture, pythae's own of ten components, is fitted to the state at each time and is not
    counted into it. ``told`` is given the seconds spent, the steps and the sampler.
    """
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.samplers import GaussianMixtureSampler, GaussianMixtureSamplerConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (scikit-learn's mixture is given no other seed there)
    tensors = [torch.from_numpy(np.array(x)).float() / (levels - 1) for x in (train, valid)]
    config = VAEConfig(input_dim=train.shape[1:], latent_dim=16, reconstruction_loss="mse")
    model = VAE(config, **_networks(network, config))

    class Stop(TrainingCallback):  # type: ignore[misc]
        def on_train_begin(self, training_config: Any, **_: Any) -> None:
            self.clock, self.left, self.steps = Clock(), list(times), 0

        def on_train_step_end(self, training_config: Any, **_: Any) -> None:
            self.steps += 1
            if self.clock.seconds >= self.left[0]:
                spent = self.clock.seconds
                self.clock.pause(lambda: self.tell(spent))
                self.left.pop(0)
                if not self.left:
                    raise _OutOfTimeError

        def tell(self, spent: float) -> None:
            model.eval()
            sampler = GaussianMixtureSampler(model, GaussianMixtureSamplerConfig(n_components=10))
            sampler.fit(tensors[0])
            sampler.gmm.random_state = np.random.RandomState(seed)

            def draw(count: int, generator: torch.Generator) -> Tensor:
                images: Tensor = sampler.sample(count, batch_size=count)
                return images

            told(spent, self.steps, Sampler(draw, levels))
            model.train()

    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=10**6,
            learning_rate=1e-3,
            per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=BATCH,
            no_cuda=True,
            seed=seed,
        )
        datasets = [BaseDataset(x, torch.ones(len(x))) for x in tensors]
        trainer = BaseTrainer(model, *datasets, training_config=settings, callbacks=[Stop()])
        try:
            trainer.train()
        except _OutOfTimeError:
            return


def _networks(network: str, config: Any) -> dict[str, Any]:
    from pythae.models.nn.benchmarks import mnist

    if network == "mlp":  # what pythae builds where it is given none
        return {}
    kind = {"conv": "Conv", "resnet": "ResNet"}[network]
    return {
        "encoder": getattr(mnist, f"Encoder_{kind}_VAE_MNIST")(config),
        "decoder": getattr(mnist, f"Decoder_{kind}_AE_MNIST")(config),
    }


class Generator(nn.Module):
    """Radford et al. 2016, figure 1, without the two largest of its layers: 7, 14, 28 pixels."""

    latent = 100

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(self.latent, 2 * width, 7, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.layers(z[:, :, None, None])
        return images


def discriminator(channels: int, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, 2, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(2 * width, 1, 7),
        nn.Flatten(0),
    )


def dcgan(
    train: Images,
    width: int,
    batch: int,
    times: Sequence[float],
    seed: int,
    levels: int,
    told: Callable[[float, int, Sampler], None],
) -> None:
    """Train a DCGAN of 28×28 images and tell its generator after each of ``times``.

    Adam at 2e-4 with β₁ = 0.5, binary cross-entropy, weights from N(0, 0.02²), separate batches of
    real and generated images; the last state, as in the paper: no averages and no choice.
    """
    torch.manual_seed(seed)
    real = torch.from_numpy(np.array(train))
    channels = real.shape[1]
    generator, judge = Generator(channels, width), discriminator(channels, width)
    for module in (*generator.modules(), *judge.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    optimizers = [
        torch.optim.Adam(x.parameters(), 2e-4, (0.5, 0.999), fused=True) for x in (generator, judge)
    ]
    loss, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(batch), torch.zeros(batch)

    def draw(count: int, noise: torch.Generator) -> Tensor:
        return generator(torch.randn(count, Generator.latent, generator=noise)) * 0.5 + 0.5

    def tell(spent: float, steps: int) -> None:
        generator.eval()
        told(spent, steps, Sampler(draw, levels))
        generator.train()

    clock, left, steps = Clock(), list(times), 0
    order = torch.randperm(len(real))
    while left:
        start = steps * batch % (len(real) - len(real) % batch)
        if start == 0:
            order = torch.randperm(len(real))
        x = real[order[start : start + batch]].float() * (2 / (levels - 1)) - 1
        fake = generator(torch.randn(batch, Generator.latent))
        optimizers[1].zero_grad()
        (loss(judge(x), ones) + loss(judge(fake.detach()), zeros)).backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        loss(judge(fake), ones).backward()
        optimizers[0].step()
        steps += 1
        if clock.seconds >= left[0]:
            spent = clock.seconds
            clock.pause(lambda spent=spent, steps=steps: tell(spent, steps))  # type: ignore[misc]
            left.pop(0)
