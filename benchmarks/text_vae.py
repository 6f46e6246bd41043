"""A text VAE beside the language model that is its own decoder, and beside a peer's recipe.

Both are trained with the settings of one preset: same sizes, dropout, optimiser, averages and
choice of the best state by validation; the language model has no latent and no encoder, and so
takes more steps. The peer is an annealed LSTM VAE (`peers/annealed_vae.py`). Budgets are seconds
of one core, since on a shared machine the wall says little. Told, and appended to --out as soon as
it is known: perplexity on test texts, a VAE's importance-weighted; KL, and what its decoder loses
by another's z; for each row the paired difference from those before it in nats a text, with its
95 % interval. Without arguments: docstrings, a minute each, one seed.

    .venv/bin/python benchmarks/text_vae.py data/prepared/coco-captions \
        presets/coco-captions-text-vae-small.yaml --rows peer:600 vae:300 lm:300 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.annealed_vae import annealed
from torch.nn.utils import clip_grad_norm_

import genline  # noqa: F401  (sets libgomp's spinning before torch is imported)
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.batches import BucketedBatches
from genline.data.prepared import PreparedTexts, load_texts, strip_marks
from genline.data.tokenizer import TextTokenizer
from genline.evaluation.intervals import Floats, bootstrap_mean
from genline.evaluation.variational import decoder_use, encode, likelihoods
from genline.models.base import VariationalModel
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
VALIDATIONS = 12  # of a training; the state that validates best is kept


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
    make: Any, data: PreparedTexts, model: Model, settings: Train, seed: int, seconds: float
) -> tuple[Any, dict[str, float]]:
    """The recipe's kept weights, after as many steps as ``seconds`` of core time hold."""
    runtime = Runtime(device="cpu", threads=1, precision="32-true")
    context = Context(make_fabric(runtime), derive_seed(seed, "train"))
    trial = make(context, data, model, settings)
    began = time.process_time()
    for step in range(CALIBRATION):
        trial.step(settings.pretrain_steps + step)
    each = (time.process_time() - began) / CALIBRATION
    began = time.process_time()
    trial.validate(CALIBRATION)
    seconds -= VALIDATIONS * (time.process_time() - began)
    before = trial.steps - settings.steps  # those of an autoencoder, which count as well
    steps = max(CALIBRATION, int(seconds / each) - before)
    settings = settings.model_copy(
        update={"steps": steps, "validate_every": max(1, steps // VALIDATIONS)}
    )
    began = time.process_time()
    recipe = make(context, data, model, settings)
    with tempfile.TemporaryDirectory() as folder:
        done = train("training", recipe, Checkpoints(folder, "text-vae", "benchmark"))
    spent = time.process_time() - began
    rows = [row for row in done.history.rows if "valid_loss" in row]
    best = min(rows, key=lambda row: row["valid_loss"])
    return done.weights, {"core_seconds": spent, "steps": steps, "best_at": best["step"]}


class Judge:
    """Test texts, sorted by length, and what a model's likelihood of them comes to."""

    def __init__(self, data: PreparedTexts, count: int, draws: int) -> None:
        test = data.split("test")
        some = np.sort(np.random.default_rng(0).permutation(len(test))[:count])
        some = some[np.argsort(test.lengths[some], kind="stable")]
        self.tokens, self.draws = float((test.lengths[some] + 1).sum()), draws
        parts = np.array_split(some, len(some) // 64 + 1)
        self.batches = [torch.tensor(test.batch(part)) for part in parts]

    @torch.no_grad()
    def of_language_model(self, model: Decoder) -> tuple[Floats, dict[str, Any]]:
        nats = torch.cat([-model.log_likelihood(x) for x in self.batches]).double().numpy()
        return nats, {"perplexity": self.perplexity(nats)}

    def of_vae(self, model: VariationalModel) -> tuple[Floats, dict[str, Any]]:
        noise = torch.Generator().manual_seed(0)
        posteriors = encode(model, self.batches)
        found = likelihoods(model, self.batches, posteriors, self.draws, noise)
        use = decoder_use(model, self.batches, posteriors, noise)
        return found.nll, {
            "perplexity": self.perplexity(found.nll),
            "bound": self.perplexity(found.reconstruction + posteriors.kl),
            "kl": float(posteriors.kl.mean()),
            "decoder_use": interval(use),
        }

    def perplexity(self, nats: Floats) -> float:
        return math.exp(nats.sum() / self.tokens)


def interval(values: Floats) -> list[float]:
    """The mean, and the ends of its 95 % interval."""
    spread = bootstrap_mean(values, np.random.default_rng(0))
    return [float(values.mean()), spread.low, spread.high]


def examples(data: PreparedTexts, vae: TextVAE, seed: int) -> str:
    """Texts drawn from the prior, to be read."""
    tokenizer = TextTokenizer.load(data.folder / "tokenizer.json")
    drawn = vae.sample(20, torch.Generator().manual_seed(seed)).numpy()
    return "\n".join(tokenizer.decode(text) for text in strip_marks(drawn))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=ROOT / "data/prepared/docstrings")
    parser.add_argument(
        "preset", type=Path, nargs="?", default=ROOT / "presets/docstrings-text-vae-small.yaml"
    )
    rows = "lm, vae or peer, with core seconds, in this order"
    parser.add_argument("--rows", nargs="+", default=["lm:60", "vae:60"], help=rows)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--draws", type=int, default=128, help="of z a text")
    parser.add_argument("--texts", type=int, default=2000, help="of the test split")
    parser.add_argument("--set", nargs="*", default=[], help="name=value in place of the preset's")
    parser.add_argument("--out", type=Path, help="JSON lines, appended to")
    parser.add_argument("--read", action="store_true", help="show texts that the VAE writes")
    asked = parser.parse_args()
    (entry,) = load_yaml(asked.preset)["experiments"].values()
    for pair in asked.set:
        name, value = pair.split("=")
        place = entry["model" if name in Model.model_fields else "train"]
        place[name] = type(place.get(name, 0.0))(float(value))
    model = parse_section(Model, entry["model"], "model", asked.preset)
    settings = parse_section(Train, entry["train"], "train", asked.preset)
    torch.set_num_threads(1)
    data = load_texts(asked.data)
    judge = Judge(data, asked.texts, asked.draws)
    for seed in asked.seeds:
        before: dict[str, Floats] = {}
        for row in asked.rows:
            kind, seconds = row.split(":")
            told: dict[str, Any] = {"data": asked.data.name, "row": row, "seed": seed}
            if kind == "peer":
                peer = annealed(data, float(seconds), seed)
                told |= {"core_seconds": peer.seconds, "epochs": peer.epochs}
                nats, found = judge.of_vae(peer.model)
            elif kind == "lm":
                plain = language_model(model, data)
                weights, cost = trained(
                    LanguageModelRecipe, data, model, settings, seed, float(seconds)
                )
                plain.load_state_dict(weights)
                nats, found = judge.of_language_model(plain.eval())
                told |= cost
            else:
                vae = TextVAE(model, data.spec)
                weights, cost = trained(TextVAERecipe, data, model, settings, seed, float(seconds))
                vae.load_state_dict(weights)
                nats, found = judge.of_vae(vae.eval().requires_grad_(False))
                told |= cost
                if asked.read:
                    print(examples(data, vae, seed), flush=True)
            less = {f"less_{name}": interval(nats - others) for name, others in before.items()}
            told |= found | less
            before[row] = nats
            print(json.dumps(told), flush=True)
            if asked.out:
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
