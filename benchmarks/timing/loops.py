"""genline's training loop, the kernels of its layers alone, and plain PyTorch loops: as turns."""

from __future__ import annotations

import importlib
import itertools
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as functional
from timing.turns import Turn
from torch import Tensor, nn

from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.prepared import PAD, Prepared, TextSplit
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal
from genline.models.networks.pixels import normalise
from genline.models.store import family_config
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import RECORDS, Row, train
from genline.training.engine.recipe import Context, Recipe
from genline.training.recipes.image_gan import ImageGANRecipe
from genline.training.recipes.image_vae import ImageVAERecipe
from genline.training.recipes.text_vae import TextVAERecipe

SEED = 2026


def make_recipe(
    preset: Any,
    data: Prepared,
    steps: int,
    model: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    precision: Any = "32-true",
) -> Recipe:
    """The recipe of a preset's entry in ``RECORDS`` times ``steps`` steps, validating never.

    ``model`` and ``settings`` replace what the preset says, unchecked: the shapes of
    :mod:`timing.shapes` are none that a parameters file may name.
    """
    ((_, entry),) = load_yaml(preset)["experiments"].items()
    config = family_config(entry["family"])
    networks = parse_section(config.Model, entry["model"], "model")
    training = parse_section(config.Train, entry["train"], "train")
    context = Context(
        make_fabric(Runtime(device="cpu", threads=1, precision=precision)),
        derive_seed(SEED, "train"),
    )
    build = importlib.import_module(f"genline.training.recipes.{entry['family']}").build
    recipe: Recipe = build(
        context,
        data,
        networks.model_copy(update=model or {}),
        training.model_copy(update={"steps": RECORDS * steps, **(settings or {})}),
    )
    recipe.validate_every = 0
    return recipe


class _OverError(Exception):
    """The benchmark has seen enough of this training."""


class _Seldom(Checkpoints):
    """Saves every tenth time: its clock runs on while others have their turn."""

    asked = 0

    def save(self, state: dict[str, Any]) -> None:
        self.asked += 1
        if self.asked % 10 == 0:
            super().save(state)


class OwnLoop:
    """``genline.training.engine.loop.train`` as it is, from one row of its curve to the next.

    It runs in a thread of its own, which waits while it is not its turn, so that all that the loop
    does counts: batches, schedules, figures, clipping, optimiser, averages, rows of the curve.
    """

    def __init__(self, recipe: Recipe, units: Callable[[range], float]) -> None:
        self.recipe, self.units = recipe, units
        self.every = recipe.steps // RECORDS
        self.done = 0
        self._go, self._there = threading.Semaphore(0), threading.Semaphore(0)
        self._over = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._go.acquire()
        try:
            with tempfile.TemporaryDirectory() as folder:
                train("loop", self.recipe, _Seldom(folder, "loop", "0" * 64), self._on_row)
        except _OverError:
            pass
        except BaseException as error:
            self._failure = error
        self._there.release()

    def _on_row(self, row: Row) -> None:
        self._there.release()
        self._go.acquire()
        if self._over:
            raise _OverError

    def __call__(self) -> float:
        self._go.release()
        self._there.acquire()
        if self._failure is not None:
            raise self._failure
        steps = range(self.done, self.done + self.every)
        self.done = steps.stop
        return self.units(steps)

    def close(self) -> None:
        self._over = True
        self._go.release()
        self._thread.join()


def alone(work: Iterator[float], steps: int) -> Turn:
    """A turn of ``steps`` pieces of endless ``work``, which says how many units each was."""
    return lambda: sum(itertools.islice(work, steps))


def backward(loss: Tensor, network: nn.Module) -> None:
    """Gradients of all weights, dropped at once: nothing is added up."""
    torch.autograd.grad(loss, [p for p in network.parameters() if p.requires_grad])


def image_vae_kernels(recipe: ImageVAERecipe, batch: int) -> Iterator[float]:
    x, vae = recipe.images[:batch], recipe.vae
    while True:
        mean, log_variance = vae.posterior(x)
        z = draw_posterior(mean, log_variance, recipe.noise)
        loss = kl_to_standard_normal(mean, log_variance).mean(0).sum()
        backward(loss - vae.log_likelihood(x, z).mean(), vae)
        yield float(batch)


def image_gan_kernels(recipe: ImageGANRecipe, batch: int) -> Iterator[float]:
    """Both updates of a step and, as often as in the loop, the penalty; one generated batch."""
    real = normalise(recipe.images[:batch], recipe.spec.levels)
    noise = recipe.gan.draw_noise(batch, recipe.noise)
    gan, judge, objective, train = recipe.gan, recipe.discriminator, recipe.objective, recipe.train
    for step in itertools.count():
        judge.requires_grad_(True)
        for repeat in range(train.discriminator_steps):
            with torch.set_grad_enabled(repeat == train.discriminator_steps - 1):
                fake = gan.generate(noise)
            on_real, on_fake = judge(torch.cat([real, fake.detach()])).chunk(2)
            loss = objective.discriminator(on_real, on_fake)
            if train.r1_gamma and step % train.r1_every == 0:
                pixels = real.clone().requires_grad_()
                (slope,) = torch.autograd.grad(judge(pixels).sum(), pixels, create_graph=True)
                loss = loss + train.r1_gamma * slope.square().flatten(1).sum(1).mean()
            backward(loss, judge)
        judge.requires_grad_(False)
        on_fake = judge(fake)
        backward(objective.generator(on_fake, on_fake), gan)
        yield float(batch)


def text_vae_kernels(recipe: TextVAERecipe, batches: int = 200) -> Iterator[float]:
    """The loss of the loop's own batches, dropout and all, made tensors beforehand."""
    vae, noise, p = recipe.vae, recipe.noise, recipe.train.dropout
    ready = [torch.from_numpy(recipe.texts.batch(recipe.batches[i])) for i in range(batches)]
    for x in itertools.cycle(ready):
        mean, log_variance = vae.posterior(x)
        z = draw_posterior(mean, log_variance, noise)
        nats = -vae.decoder.token_log_likelihood(x, z, p=p, generator=noise).sum(1).mean()
        backward(nats + kl_to_standard_normal(mean, log_variance).mean(0).sum(), vae)
        yield float((x[:, 1:] != PAD).sum())


def plain_gan(recipe: ImageGANRecipe, batch: int) -> Iterator[float]:
    """The loop of the papers: each network's update on a generated batch of its own, Adam."""
    gan, judge, objective, train = recipe.gan, recipe.discriminator, recipe.objective, recipe.train
    betas = (train.beta1, train.beta2)
    optimizers = [
        torch.optim.Adam(n.parameters(), train.learning_rate, betas) for n in (gan, judge)
    ]
    real = normalise(recipe.images, recipe.spec.levels)
    loader = itertools.chain.from_iterable(
        iter(lambda: torch.utils.data.DataLoader(real, batch, shuffle=True, drop_last=True), None)
    )
    while True:
        for _ in range(train.discriminator_steps):
            with torch.no_grad():
                fake = gan.generate(torch.randn(batch, gan.latent))
            optimizers[1].zero_grad()
            objective.discriminator(judge(next(loader)), judge(fake)).backward()
            optimizers[1].step()
        optimizers[0].zero_grad()
        on_fake = judge(gan.generate(torch.randn(batch, gan.latent)))
        objective.generator(on_fake, on_fake).backward()
        optimizers[0].step()
        yield float(batch)


class PlainTextVAE(nn.Module):
    """genline's LSTM VAE layer by layer, as a plain loop has it: padding is read and scored."""

    def __init__(self, vocabulary: int, size: int, latent: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=size**-0.5)
        self.encoder = nn.LSTM(size, size, batch_first=True)
        self.heads = nn.Linear(2 * size, 2 * latent)
        self.start = nn.Linear(latent, 2 * size)
        self.decoder = nn.LSTM(size + latent, size, batch_first=True)
        self.readout = nn.Linear(size, size)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, x: Tensor, p: float) -> Tensor:
        """−ELBO of texts (batch, length), nats a text."""
        states, (last, _) = self.encoder(self.embedding(x))
        mean, log_variance = self.heads(torch.cat([last[0], states.mean(1)], -1)).chunk(2, -1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        hidden, cell = self.start(z).chunk(2, -1)
        inputs = functional.dropout(self.embedding(x[:, :-1]), p)
        inputs = torch.cat([inputs, z[:, None].expand(-1, inputs.shape[1], -1)], -1)
        start = (torch.tanh(hidden)[None].contiguous(), cell[None].contiguous())
        readouts = functional.dropout(self.readout(self.decoder(inputs, start)[0]), p)
        logits = functional.linear(readouts, self.embedding.weight, self.bias)
        losses = functional.cross_entropy(
            logits.flatten(0, 1), x[:, 1:].flatten(), ignore_index=PAD, reduction="sum"
        )
        return losses / len(x) + kl_to_standard_normal(mean, log_variance).sum(1).mean()


def plain_text_vae(
    texts: TextSplit, vocabulary: int, size: int, latent: int, batch: int, p: float
) -> Iterator[float]:
    """Texts in a random order, padded to the longest of their batch; Adam, gradients clipped."""
    network = PlainTextVAE(vocabulary, size, latent)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    order = torch.Generator().manual_seed(SEED)
    while True:
        for chosen in torch.randperm(len(texts), generator=order).split(batch):
            x = torch.from_numpy(texts.batch(chosen.numpy()))
            optimizer.zero_grad()
            network(x, p).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            yield float((x[:, 1:] != PAD).sum())
