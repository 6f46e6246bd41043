"""Every choice of the text models, one at a time, on the docstrings: the table of docs/models.md.

Each row is the project's own entry of params.yaml with one thing changed, trained for ``--share``
of its steps and judged by the data set's evaluator as the pipeline judges it, with fewer samples.
Of a VAE: importance-weighted perplexity, KL, what the decoder loses by another's z, and Fréchet
embedding distance. Of a GAN: that distance, the difference to its own control's, and perplexities.
Intervals are the suite's, 95 %. Rows are named after what they change; without names all are run,
in about half an hour of one core at the default share.

    .venv/bin/python benchmarks/text_catalogue.py gru "feature_matching, mmd" --share 1.0
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import genline  # noqa: F401  (sets libgomp's spinning before torch is imported)
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.prepared import PreparedTexts, load_texts
from genline.evaluation.record import Findings, Metric
from genline.evaluation.text import suite
from genline.evaluation.text.config import EvaluateTexts
from genline.models.evaluators.language_model import LanguageModel
from genline.models.evaluators.store import load_evaluator
from genline.models.store import family_config, family_module
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
    },
    "mle": {"train.objective": "mle"},
}
STEPS = ("steps", "pretrain_steps", "adversarial_steps")


def changed(entry: dict[str, Any], changes: Changes, share: float) -> tuple[Any, Any]:
    """The sections of ``entry`` with ``changes``, for ``share`` of its steps."""
    parts = {"model": dict(entry["model"]), "train": dict(entry["train"])}
    if "discriminator" in parts["train"]:
        parts["train"]["discriminator"] = dict(parts["train"]["discriminator"])
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


def measured(
    entry: dict[str, Any],
    changes: Changes,
    asked: argparse.Namespace,
    data: PreparedTexts,
    judge: LanguageModel,
) -> tuple[Findings, float]:
    """What the suite finds of the row's model, and the core-seconds of its training."""
    model, settings = changed(entry, changes, asked.share)
    runtime = Runtime(device="cpu", threads=1, precision="32-true")
    context = Context(make_fabric(runtime), derive_seed(asked.seed, "train"))
    recipes = {"text_vae": text_vae, "text_gan": text_gan}
    began = time.process_time()
    recipe = recipes[entry["family"]].build(context, data, model, settings)
    with tempfile.TemporaryDirectory() as folder:
        done = train("training", recipe, Checkpoints(folder, "row", "catalogue"))
    seconds = time.process_time() - began
    made = family_module(entry["family"]).build(model, data.spec)
    made.load_state_dict(done.weights)
    made.requires_grad_(False).eval()
    params = EvaluateTexts(samples=asked.samples, temperatures=[1.0])
    return suite.evaluate(made, judge, data, params, asked.seed, torch.device("cpu")), seconds


def told(metric: Metric | None, digits: int = 2) -> str:
    if metric is None:
        return "—"
    return f"{metric.value:.{digits}f} ({metric.low:.{digits}f} to {metric.high:.{digits}f})"


def row_of_vae(found: Findings) -> list[str]:
    names = ("perplexity", "kl", "decoder_use", "frechet_embedding_distance")
    return [told(found.metrics[name]) for name in names]


def row_of_gan(found: Findings) -> list[str]:
    own, control = (found.metrics[f"reverse_perplexity{end}"] for end in ("", "_control"))
    names = ("frechet_embedding_distance", "frechet_embedding_distance_vs_control", "perplexity")
    cells = [told(found.metrics.get(name)) for name in names]
    return [*cells, f"{own.value:.1f}, control {control.value:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("rows", nargs="*", help="their names; none: all")
    parser.add_argument("--data", type=Path, default=ROOT / "data/prepared/docstrings")
    parser.add_argument("--judge", type=Path, default=ROOT / "models/evaluators/docstrings")
    parser.add_argument("--share", type=float, default=0.5, help="of the entry's steps")
    parser.add_argument("--samples", type=int, default=1000, help="texts drawn of each model")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    unknown = set(asked.rows) - {*VAES, *GANS}
    if unknown:
        sys.exit(f"error: no row {sorted(unknown)}; there are {[*VAES, *GANS]}")
    data = load_texts(asked.data)
    judge = load_evaluator(asked.judge).evaluator
    assert isinstance(judge, LanguageModel)
    experiments = load_yaml(ROOT / "params.yaml")["experiments"]
    for name, rows, tell, columns in (
        (
            "docstrings-vae",
            VAES,
            row_of_vae,
            "perplexity | KL, nats | decoder use, nats | Fréchet embedding distance",
        ),
        (
            "docstrings-gan",
            GANS,
            row_of_gan,
            "Fréchet embedding distance | less its control's | perplexity | reverse perplexity",
        ),
    ):
        chosen = [row for row in rows if not asked.rows or row in asked.rows]
        if chosen:
            print(f"\n| {name} with | {columns} | core-seconds |", flush=True)
            print("|---|---|---|---|---|---|", flush=True)
        for row in chosen:
            found, seconds = measured(experiments[name], rows[row], asked, data, judge)
            print(f"| {row} | {' | '.join(tell(found))} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
