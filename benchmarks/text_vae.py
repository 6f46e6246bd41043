"""A text VAE beside the language model that is its own decoder, at an equal budget of core time.

Both are trained with the settings of one preset: same sizes, dropout, optimiser, averages and
choice of the best state by validation; the language model has no latent and no encoder, and so
takes more steps. Printed: perplexity on test texts, the VAE's importance-weighted, and the paired
difference in nats a text with its 95 % interval; KL, and what the decoder loses by another's z.
Without arguments: docstrings, a minute each, one seed.

    .venv/bin/python benchmarks/text_vae.py data/prepared/coco-captions \
        presets/coco-captions-text-vae-small.yaml --minutes 10 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

import genline  # noqa: F401  (sets libgomp's spinning before torch is imported)
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.batches import BucketedBatches
from genline.data.prepared import PreparedTexts, load_texts
from genline.evaluation.intervals import Floats, bootstrap_mean
from genline.evaluation.variational import decoder_use, encode, likelihoods
from genline.models.evaluators.language_model import over_texts
from genline.models.initialisation import seeded
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoders import DECODERS, Sizes
from genline.models.networks.frequencies import start_at_frequencies
from genline.models.text_vae.config import Model, Train
from genline.models.text_vae.model import TextVAE
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context, Recipe, set_learning_rate
from genline.training.engine.schedules import cosine, ramp
from genline.training.recipes.text_vae import TextVAERecipe

ROOT = Path(__file__).parents[1]
CALIBRATION = 40  # steps that say how long one takes


class LanguageModelRecipe(Recipe):
    """The decoder of a text VAE without its latent, trained as the VAE is."""

    selects_by = "valid_loss"

    def __init__(
        self, context: Context, data: PreparedTexts, model: Model, settings: Train
    ) -> None:
        super().__init__()
        self.context, self.settings = context, settings
        self.steps, self.validate_every = settings.steps, settings.validate_every
        self.texts, self.valid = data.split("train"), data.split("valid")
        self.batches = BucketedBatches(
            self.texts.lengths, settings.batch, derive_seed(context.seed, "batches")
        )
        with seeded(derive_seed(context.seed, "weights")):
            self.network = language_model(model, data)
        start_at_frequencies(self.network.bias, self.texts)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            betas=(0.9, 0.99),
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.average = ExponentialAverage(self.network, settings.ema)
        self.generators = {"noise": context.generator("noise")}

    def step(self, step: int) -> dict[str, torch.Tensor]:
        rate = cosine(step, self.steps, self.settings.learning_rate) * ramp(step, 50)
        set_learning_rate(self.optimizer, rate)
        x = self.context.tensor(self.texts.batch(self.batches[step]))
        likelihoods = self.network.token_log_likelihood(
            x, p=self.settings.dropout, generator=self.generators["noise"]
        )
        loss = -likelihoods.sum(1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimizer.step()
        self.average.update(self.network)
        return {"loss": loss}

    def validate(self, step: int) -> dict[str, float]:
        network: Any = self.average.module
        nats = -over_texts(network.log_likelihood, self.valid, torch.device("cpu"))
        return {"valid_loss": float(nats.mean())}

    def result(self) -> dict[str, torch.Tensor]:
        return self.average.module.state_dict()


def language_model(model: Model, data: PreparedTexts) -> Decoder:
    sizes = Sizes(
        data.spec.vocabulary,
        data.spec.max_tokens,
        model.embedding,
        model.decoder,
        layers=model.layers,
        heads=model.heads,
        attention=model.attention,
    )
    return DECODERS[model.network](sizes)


def trained(
    make: Any, data: PreparedTexts, model: Model, settings: Train, seed: int, minutes: float
) -> Any:
    """The recipe's kept weights, after as many steps as ``minutes`` of core time hold."""
    runtime = Runtime(device="cpu", threads=1, precision="32-true")
    context = Context(make_fabric(runtime), derive_seed(seed, "train"))
    trial = make(context, data, model, settings)
    began = time.process_time()
    for step in range(CALIBRATION):
        trial.step(settings.pretrain_steps + step)
    each = (time.process_time() - began) / CALIBRATION
    before = trial.steps - settings.steps  # those of an autoencoder, which count as well
    steps = max(CALIBRATION, int(60 * minutes / each) - before)
    settings = settings.model_copy(update={"steps": steps, "validate_every": max(1, steps // 16)})
    recipe, began = make(context, data, model, settings), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        done = train("training", recipe, Checkpoints(folder, "text-vae", "benchmark"))
    spent = time.process_time() - began
    rows = [row for row in done.history.rows if "valid_loss" in row]
    best = min(rows, key=lambda row: row["valid_loss"])
    print(f"  {steps} steps in {spent:.0f} core-seconds, best at {best['step']:.0f}", flush=True)
    return done.weights


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=ROOT / "data/prepared/docstrings")
    parser.add_argument(
        "preset", type=Path, nargs="?", default=ROOT / "presets/docstrings-text-vae-small.yaml"
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="of one core, each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--draws", type=int, default=128, help="of z a text")
    parser.add_argument("--texts", type=int, default=2000, help="of the test split")
    parser.add_argument("--set", nargs="*", default=[], help="name=value in place of the preset's")
    asked = parser.parse_args()
    (entry,) = load_yaml(asked.preset)["experiments"].values()
    for pair in asked.set:
        name, value = pair.split("=")
        place = entry["model" if name in Model.model_fields else "train"]
        place[name] = type(place.get(name, 0.0))(float(value))
    model = parse_section(Model, entry["model"], "model", asked.preset)
    settings = parse_section(Train, entry["train"], "train", asked.preset)
    data = load_texts(asked.data)
    test = data.split("test")
    some = np.sort(np.random.default_rng(0).permutation(len(test))[: asked.texts])
    some = some[np.argsort(test.lengths[some], kind="stable")]
    tokens = float((test.lengths[some] + 1).sum())
    batches = [torch.tensor(test.batch(part)) for part in np.array_split(some, len(some) // 64 + 1)]
    for seed in asked.seeds:
        print(f"seed {seed}: language model", flush=True)
        plain = language_model(model, data)
        plain.load_state_dict(
            trained(LanguageModelRecipe, data, model, settings, seed, asked.minutes)
        )
        with torch.no_grad():
            nats = torch.cat([-plain.log_likelihood(x) for x in batches]).double().numpy()
        perplexity = math.exp(nats.sum() / tokens)
        print(f"  perplexity {perplexity:.3f}", flush=True)
        print(f"seed {seed}: VAE", flush=True)
        vae = TextVAE(model, data.spec)
        weights = trained(TextVAERecipe, data, model, settings, seed, asked.minutes)
        vae.load_state_dict(weights)
        vae.eval().requires_grad_(False)
        noise = torch.Generator().manual_seed(0)
        posteriors = encode(vae, batches)
        found = likelihoods(vae, batches, posteriors, asked.draws, noise)
        own = math.exp(found.nll.sum() / tokens)
        bound = math.exp((found.reconstruction + posteriors.kl).sum() / tokens)
        use = decoder_use(vae, batches, posteriors, noise)
        print(
            f"  perplexity {own:.3f} ({own / perplexity - 1:+.2%}), bound {bound:.3f}, KL "
            f"{posteriors.kl.mean():.2f} nats, decoder use {interval(use)}, difference "
            f"{interval(found.nll - nats)} nats a text",
            flush=True,
        )


def interval(values: Floats) -> str:
    spread = bootstrap_mean(values, np.random.default_rng(0))
    return f"{values.mean():.3f} ({spread.low:.3f} to {spread.high:.3f})"


if __name__ == "__main__":
    main()
