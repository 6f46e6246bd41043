"""Every choice of the text models, one at a time, on the docstrings: the table of docs/models.md.

Each row is the project's own entry of params.yaml with one thing changed, trained for ``--share``
of its steps, and judged by the data set's evaluator as the pipeline does it, with fewer samples and
test texts. Of a VAE: importance-weighted perplexity, KL, what the decoder loses by another's z, and
Fréchet embedding distance. Of a GAN: that distance, how much more it is than its own control's,
and forward and reverse perplexity of samples. Intervals are 95 %. Rows are named after what they
change; without names all are run, in about half an hour of one core at the default share.

    .venv/bin/python benchmarks/text_catalogue.py gru "feature_matching, mmd" --share 1.0
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import genline  # noqa: F401  (sets libgomp's spinning before torch is imported)
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.prepared import load_texts
from genline.evaluation.frechet_jackknife import jackknifed_distance
from genline.evaluation.record import Metric, of_sampler
from genline.evaluation.text import suite
from genline.evaluation.text.ngram_table import take
from genline.evaluation.text.perplexity import perplexity, perplexity_interval, token_counts
from genline.evaluation.text.sample_metrics import SampleJudge
from genline.evaluation.variational_metrics import measure, variational_metrics
from genline.models.evaluators.language_model import LanguageModel
from genline.models.evaluators.store import load_evaluator
from genline.models.store import family_config, family_module
from genline.models.text_gan.model import TextGAN
from genline.models.text_vae.model import TextVAE
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes import text_gan, text_vae

ROOT = Path(__file__).parents[1]
Changes = dict[str, Any]  # by dotted key of the entry, as `dvc exp run -S` takes them

BARE = {"train.free_bits": 0.0}
# The rates of the recurrent networks are too high for blocks of attention.
BLOCKS: Changes = {"model.layers": 2, "model.heads": 4, "train.learning_rate": 0.002}
VAES: dict[str, Changes] = {
    "lstm, free_bits": {},
    "lstm with attention": {"model.attention": True},
    "gru": {"model.network": "gru"},
    "transformer": {"model.network": "transformer", **BLOCKS},
    "mlp": {"model.network": "mlp"},
    "no remedy but kl_warmup": BARE,
    "kl_cycles": {**BARE, "train.kl_cycles": 4, "train.kl_warmup": 0.5},
    "word_dropout": {**BARE, "train.word_dropout": 0.3},
    "bag_of_words": {**BARE, "train.bag_of_words": 0.2},
    "batch_norm": {**BARE, "model.batch_norm": 0.8},
    "pretrain_steps": {**BARE, "train.pretrain_steps": 300},
    "pretrain_steps, free_bits": {"train.pretrain_steps": 300},
    "encoder_updates": {**BARE, "train.encoder_updates": 4},
}
WHOLE: Changes = {"train.discount": 1.0}  # a reward at the end must reach the first token
STRAIGHT: Changes = {"train.objective": "gumbel", "train.adversarial_weight": 0.1}
CONV: Changes = {"train.discriminator.network": "conv", "train.discriminator.learning_rate": 0.001}
NOISE: Changes = {"model.latent": 16}
GANS: dict[str, Changes] = {
    "reinforce, lstm": {},
    "lstm with attention": {"model.attention": True},
    "gru, judge gru": {"model.network": "gru", "train.discriminator.network": "gru"},
    "transformer": {
        "model.network": "transformer",
        **BLOCKS,
        "train.adversarial_learning_rate": 0.0005,
    },
    "recurrent": {"model.network": "recurrent", **NOISE},
    "mlp": {"model.network": "mlp", **NOISE},
    "reinforce, judge conv": {**WHOLE, **CONV},
    "reinforce, judge recurrent": {**WHOLE, "train.discriminator.network": "recurrent"},
    "reinforce, judge transformer": {
        **WHOLE,
        "train.discriminator.network": "transformer",
        "train.discriminator.heads": 4,
        "train.discriminator.learning_rate": 0.0005,
    },
    "gumbel": {**STRAIGHT, **CONV},
    "gumbel, not relativistic": {**STRAIGHT, **CONV, "train.relativistic": False},
    "feature_matching, mean": {**STRAIGHT, **CONV, "train.objective": "feature_matching"},
    "feature_matching, mmd": {
        **STRAIGHT,
        **CONV,
        "train.objective": "feature_matching",
        "train.matching": "mmd",
        "train.adversarial_weight": 10.0,  # its gradient is that much smaller
    },
    "mle": {"train.objective": "mle"},
}
TABLES = {
    "docstrings-vae": (
        VAES,
        "perplexity | KL, nats | decoder use, nats | Fréchet embedding distance",
    ),
    "docstrings-gan": (
        GANS,
        "Fréchet embedding distance | less its control's | forward perplexity | reverse "
        "perplexity, its control's",
    ),
}
STEPS = ("steps", "pretrain_steps", "adversarial_steps")
DRAWS = 32  # of z a text


def changed(entry: dict[str, Any], changes: Changes, share: float) -> tuple[Any, Any]:
    """The sections of ``entry`` with ``changes``, for ``share`` of its steps."""
    parts = copy.deepcopy({"model": entry["model"], "train": entry["train"]})
    for key, value in changes.items():
        *path, last = key.split(".")
        place = parts
        for name in path:
            place = place[name]
        place[last] = value
    for name in STEPS:
        if parts["train"].get(name):
            parts["train"][name] = max(1, round(share * parts["train"][name]))
    parts["train"]["validate_every"] = max(1, round(share * parts["train"]["validate_every"]))
    config = family_config(entry["family"])
    return (
        parse_section(config.Model, parts["model"], "model"),
        parse_section(config.Train, parts["train"], "train"),
    )


class Catalogue:
    """One judge for all rows, so that what is measured of real texts is measured once."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked, self.data = asked, load_texts(asked.data)
        evaluator = load_evaluator(asked.judge).evaluator
        assert isinstance(evaluator, LanguageModel)
        self.judge = SampleJudge(evaluator, self.data, asked.samples, 5, asked.seed)
        test = self.data.split("test")
        some = np.sort(np.random.default_rng(0).permutation(len(test))[: asked.texts])
        self.scored = take(test, some[np.argsort(test.lengths[some], kind="stable")])
        runtime = Runtime(device="cpu", threads=1, precision="32-true")
        self.context = Context(make_fabric(runtime), derive_seed(asked.seed, "train"))

    def row(self, entry: dict[str, Any], changes: Changes) -> list[str]:
        model, settings = changed(entry, changes, self.asked.share)
        recipes = {"text_vae": text_vae, "text_gan": text_gan}
        began = time.process_time()
        recipe = recipes[entry["family"]].build(self.context, self.data, model, settings)
        with tempfile.TemporaryDirectory() as folder:
            done = train("training", recipe, Checkpoints(folder, "row", "catalogue"))
        seconds = time.process_time() - began
        made = family_module(entry["family"]).build(model, self.data.spec)
        made.load_state_dict(done.weights)
        made.requires_grad_(False).eval()
        cells = self._of_vae(made) if entry["family"] == "text_vae" else self._of_gan(made)
        return [*cells, f"{seconds:.0f}"]

    def _of_vae(self, vae: TextVAE) -> list[str]:
        order, texts = np.arange(len(self.scored)), self.scored
        parts = np.array_split(order, len(order) // 64 + 1)
        batches = [torch.tensor(texts.batch(part)) for part in parts]
        figures = measure(vae, batches, DRAWS, 4096, self.asked.seed)
        tokens, random = token_counts(texts), np.random.default_rng(0)
        nats = figures.likelihoods.nll
        spread = perplexity_interval(nats, tokens, random)
        own = variational_metrics(figures, "text", self.asked.seed)
        return [
            f"{perplexity(nats, tokens):.1f} ({spread.low:.1f} to {spread.high:.1f})",
            f"{own['kl'].value:.2f}",
            told(own["decoder_use"]),
            self._distance(vae),
        ]

    def _distance(self, vae: TextVAE) -> str:
        read = self.judge.read(suite.draw(vae, self.judge.count, self.asked.seed, "prior"))
        found = jackknifed_distance(read.features, self.judge.real)
        spread = found.error.around(found.value)
        return f"{found.value:.2f} ({spread.low:.2f} to {spread.high:.2f})"

    def _of_gan(self, gan: TextGAN) -> list[str]:
        metrics: dict[str, Metric] = {}
        for name in gan.variants:
            read = self.judge.read(suite.draw(gan, self.judge.count, self.asked.seed, name))
            metrics |= of_sampler(self.judge.metrics(read, name), name, gan.variants)
        own, control = (metrics[f"reverse_perplexity{end}"].value for end in ("", "_control"))
        return [
            told(metrics["frechet_embedding_distance"]),
            told(suite.versus_control(metrics)),
            f"{metrics['forward_perplexity'].value:.1f}",
            f"{own:.1f}, {control:.1f}",
        ]


def told(metric: Metric) -> str:
    return f"{metric.value:.2f} ({metric.low:.2f} to {metric.high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("rows", nargs="*", help="their names; none: all")
    parser.add_argument("--data", type=Path, default=ROOT / "data/prepared/docstrings")
    parser.add_argument("--judge", type=Path, default=ROOT / "models/evaluators/docstrings")
    parser.add_argument("--share", type=float, default=0.33, help="of the entry's steps")
    parser.add_argument("--samples", type=int, default=1000, help="texts drawn of each model")
    parser.add_argument("--texts", type=int, default=400, help="test texts that a VAE scores")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    unknown = set(asked.rows) - {*VAES, *GANS}
    if unknown:
        sys.exit(f"error: no row {sorted(unknown)}; there are {[*VAES, *GANS]}")
    catalogue = Catalogue(asked)
    experiments = load_yaml(ROOT / "params.yaml")["experiments"]
    for name, (rows, columns) in TABLES.items():
        chosen = [row for row in rows if not asked.rows or row in asked.rows]
        if chosen:
            print(f"\n| `{name}` with | {columns} | core-seconds |", flush=True)
            print("|---|---|---|---|---|---|", flush=True)
        for row in chosen:
            cells = catalogue.row(experiments[name], rows[row])
            print(f"| {row} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
