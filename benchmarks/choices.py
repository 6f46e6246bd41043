"""What each choice of an image model comes to on digits: one row of docs/models.md each.

Each row is an entry of params.yaml, or a preset of a hybrid, with the choice put in and all else
left as it is: settings that suit one choice need not suit another, so a row says what the choice
does here, and no more. Half of the entry's steps, one seed, one thread, the judge and the test
images of the project's own run. All rows take about seven minutes of one core.

    dvc repro fit_evaluator@digits
    .venv/bin/python benchmarks/choices.py [group …]
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import genline  # noqa: F401  (sets libgomp's spinning before torch is imported)
from genline.core.errors import TrainingError
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.prepared import load_images
from genline.evaluation import images
from genline.evaluation.config import EvaluateImages
from genline.models.evaluators.store import load_evaluator
from genline.models.image_gan.combinations import impossible
from genline.models.store import family_config, family_module
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context

ROOT = Path(__file__).parents[1]
SEED = 2026
DRAWS = 10  # sets of samples, each the size of the test set
TOLD = ("fid", "fid_prior", "fid_two_stage", "bits_per_dimension", "reconstruction_error")

Changes = dict[str, Any]  # of `model` where a key has a dot before it, else of `train`
SPECTRAL = {"discriminator": {"norm": "spectral"}, "r1_gamma": 0.0}
OBJECTIVES: dict[str, Changes] = {
    "`non_saturating`, R1 (the default entry)": {},
    "`minimax`": {"objective": "minimax"},
    "`hinge`, spectral norm": {"objective": "hinge", **SPECTRAL},
    "`least_squares`": {"objective": "least_squares"},
    "`wasserstein`, `gradient_penalty: 10`": {
        "objective": "wasserstein",
        "r1_gamma": 0.0,
        "gradient_penalty": 10.0,
        "r1_every": 1,
    },
    "`wasserstein`, `clip_weights: 0.05`": {
        "objective": "wasserstein",
        "r1_gamma": 0.0,
        "clip_weights": 0.05,
    },
    "`wasserstein`, spectral norm": {"objective": "wasserstein", **SPECTRAL},
    "`relativistic`, R1 and R2": {"objective": "relativistic", "r2_gamma": 1.0},
    **{
        f"`f_divergence`, `{name}`": {"objective": "f_divergence", "divergence": name}
        for name in ("kl", "reverse_kl", "jensen_shannon", "pearson")
    },
    "`energy`": {"objective": "energy"},
    "`infogan`, a code of 10": {"objective": "infogan", ".codes": {"categorical": [10]}},
}
REGULARISERS: dict[str, Changes] = {
    "spectral norm in place of R1": SPECTRAL,
    "neither": {"r1_gamma": 0.0},
    "`feature_matching: 1`": {"feature_matching": 1.0},
    "`minibatch_kernels: 16`, no R1": {"discriminator": {"minibatch_kernels": 16}, "r1_gamma": 0.0},
    "`diff_augment: [translate]`": {"diff_augment": ["translate"]},
    "`conditional`": {".conditional": True},
}
MAPS = {"discriminator": {"network": "conv", "width": 16}}
GENERATORS: dict[str, Changes] = {
    "`recurrent`": {".network": "recurrent"},
    "`recurrent_feedback`": {".network": "recurrent_feedback"},
    "`mlp`": {".network": "mlp", ".layers": 2},
    "`conv`, width 16, against `conv`": {".network": "conv", ".width": 16, **MAPS},
    "`residual`, width 16, against `conv`": {".network": "residual", ".width": 16, **MAPS},
}
VAES: dict[str, Changes] = {
    "`conv`, `binomial` (the default entry)": {},
    "`mlp`": {".network": "mlp", ".width": 128},
    "`recurrent`": {".network": "recurrent", ".units": 64},
    "`categorical`": {".likelihood": "categorical"},
    "`discretized_logistic`": {".likelihood": "discretized_logistic"},
    "`gaussian`, `pixels: mean`": {".likelihood": "gaussian", ".pixels": "mean"},
    "`samplers: [two_stage]`": {".samplers": ["two_stage"]},
}
HYBRIDS: dict[str, Changes] = {
    "`adversarial_autoencoder` (the small preset)": {},
    "`vae_gan`, `beta: 0.1`, spectral norm": {
        "objective": "vae_gan",
        "adversarial": 1.0,
        "beta": 0.1,
        "discriminator": {"width": 256, "norm": "spectral"},
    },
}
GAN, VAE, HYBRID = (
    ("params.yaml", "digits-gan"),
    ("params.yaml", "digits-vae"),
    (
        "presets/digits-image-hybrid-small.yaml",
        "digits-image-hybrid",
    ),
)
GROUPS: dict[str, tuple[tuple[str, str], dict[str, Changes]]] = {
    "objectives": (GAN, OBJECTIVES),
    "regularisers": (GAN, REGULARISERS),
    "generators": (GAN, GENERATORS),
    "vaes": (VAE, VAES),
    "hybrids": (HYBRID, HYBRIDS),
}


def changed(entry: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """``entry`` with ``changes`` put in and half of its steps."""
    model, section = dict(entry["model"]), dict(entry["train"])
    for key, value in changes.items():
        if key.startswith("."):
            model[key[1:]] = value
        else:
            section[key] = {**section[key], **value} if isinstance(value, dict) else value
    section["steps"] //= 2
    return {"family": entry["family"], "model": model, "train": section}


def row(entry: dict[str, Any]) -> str:
    """Train ``entry`` and tell its figures with their intervals, and its seconds of one core."""
    family, data = entry["family"], load_images(ROOT / "data/prepared/digits")
    config = family_config(family)
    model = parse_section(config.Model, entry["model"], "model")
    section = parse_section(config.Train, entry["train"], "train")
    assert family != "image_gan" or impossible(model, section) is None
    runtime = Runtime(device="cpu", threads=1, precision="32-true")
    context = Context(make_fabric(runtime), derive_seed(SEED, "train"))
    recipe = importlib.import_module(f"genline.training.recipes.{family}")
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        made = recipe.build(context, data, model, section)
        try:
            trained = train("choice", made, Checkpoints(folder, "choice", "0" * 64))
        except TrainingError as error:
            return f"stopped: {error}"
    seconds = time.process_time() - began
    network = family_module(family).build(model, data.spec)
    network.load_state_dict(trained.weights)
    judge: Any = load_evaluator(ROOT / "models/evaluators/digits", "cpu").evaluator
    params = EvaluateImages(draws=DRAWS, importance_samples=100)
    seed = derive_seed(SEED, "evaluate")
    found = images.evaluate(network.eval(), judge, data, params, seed, torch.device("cpu"))
    figures = [
        f"{name} {metric.value:.3g} ({metric.low:.3g} to {metric.high:.3g})"
        for name in TOLD
        if (metric := found.metrics.get(name)) is not None
    ]
    return f"{seconds:.0f} s | {', '.join(figures)}; floor {found.metrics['fid'].floor:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = ", ".join(GROUPS)
    parser.add_argument("group", nargs="*", help=f"of {known} (default: all)")
    asked = parser.parse_args().group
    for name in asked:
        if name not in GROUPS:
            parser.error(f"no group '{name}'; known: {known}")
    for group in asked or GROUPS:
        (file, name), choices = GROUPS[group]
        entry = load_yaml(ROOT / file)["experiments"][name]
        for choice, changes in choices.items():
            print(f"| {group} | {choice} | {row(changed(entry, changes))} |", flush=True)


if __name__ == "__main__":
    main()
