"""Choosing defaults on validation data alone: candidates, three seeds, one table.

Trains every candidate from the project's prepared data and scores it against the validation
split. The folder it works in holds no test data: its test arrays are those of the validation
split, so nothing here can look at the others. Takes about forty minutes on one core.

    .venv/bin/python benchmarks/tuning.py [experiment …]
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

import genline  # noqa: F401  (sets libgomp's spinning before torch is imported)
from genline.core.files import read_json, write_json
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.prepared import PreparedImages, PreparedTexts, load_prepared, strip_marks
from genline.evaluation.frechet import frechet_between, gaussian
from genline.evaluation.text.ngram_table import pack
from genline.evaluation.variational import encode, likelihoods
from genline.models.base import GenerativeModel, VariationalModel
from genline.models.evaluators.language_model import over_texts
from genline.models.evaluators.store import load_evaluator
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context

ROOT = Path(__file__).parents[1]
SEEDS = (1, 2, 3)
CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "digits-gan": [
        {"network": "attention", "steps": 2000},
        {"network": "attention", "steps": 4000},
        {"network": "recurrent", "steps": 2000},
    ],
    "docstrings-gan": [{"adversarial_weight": weight} for weight in (0.1, 0.3, 1.0)],
    "docstrings-vae": [{"free_bits": nats} for nats in (4.0, 5.0, 6.0)],
    "digits-vae": [{"pixels": "draw"}, {"pixels": "mean"}],
}
SETS, SAMPLES, DRAWS = 20, 3000, 32  # sets of images; texts; draws of z a text
Figures = dict[str, float]


def without_test(dataset: str, folder: Path) -> PreparedImages | PreparedTexts:
    """The prepared data of ``dataset``, with validation data where test data would stand."""
    place = folder / dataset
    place.mkdir()
    for file in sorted((ROOT / "data/prepared" / dataset).iterdir()):
        if not file.name.startswith("test_"):
            shutil.copyfile(file, place / file.name)
            if file.name.startswith("valid_"):
                shutil.copyfile(file, place / file.name.replace("valid_", "test_"))
    meta = read_json(place / "meta.json")
    for kind in ("counts", "digests"):
        for name in [n for n in meta[kind] if n.startswith("valid")]:
            meta[kind][name.replace("valid", "test")] = meta[kind][name]
    write_json(place / "meta.json", meta)
    return load_prepared(place)


def image_figures(model: GenerativeModel, judge: Any, data: PreparedImages) -> Figures:
    """FID to the validation images, the mean over sets as large as theirs, and its floor."""
    valid, real = data.split("valid").images, judge.embed(data.split("train").images).features
    moments, random = gaussian(judge.embed(valid).features), np.random.default_rng(0)
    noise = torch.Generator().manual_seed(0)
    sets = [judge.embed(model.sample(len(valid), noise).numpy()).features for _ in range(SETS)]
    floors = [real[random.choice(len(real), len(valid), replace=False)] for _ in range(SETS)]
    fid, floor = (
        float(np.mean([frechet_between(gaussian(x), moments) for x in found]))
        for found in (sets, floors)
    )
    return {"FID": fid, "floor": floor}


def text_figures(model: Any, judge: Any, data: PreparedTexts) -> Figures:
    """Fréchet embedding distance to the validation texts, and perplexity on them."""
    valid = data.split("valid")
    moments, found = gaussian(judge.embed(valid)), {}
    for variant in model.variants:
        rows = model.sample(SAMPLES, torch.Generator().manual_seed(0), variant)
        features = judge.embed(pack(strip_marks(rows.numpy())))
        found[f"FED {variant}"] = frechet_between(gaussian(features), moments)
    tokens = float((valid.lengths + 1).sum())
    if isinstance(model, VariationalModel):
        order = np.argsort(valid.lengths, kind="stable")
        batches = [torch.tensor(valid.batch(part)) for part in np.array_split(order, 8)]
        posteriors, noise = encode(model, batches), torch.Generator().manual_seed(0)
        nats = likelihoods(model, batches, posteriors, DRAWS, noise).nll
        return found | {"KL": float(posteriors.kl.mean()), "PPL": np.exp(nats.sum() / tokens)}
    for variant in model.variants:
        network = model.network(variant)
        nats = -over_texts(network.log_likelihood, valid, torch.device("cpu"))
        found[f"PPL {variant}"] = float(np.exp(nats.sum() / tokens))
    return found


def score(experiment: str, changes: dict[str, Any], seed: int, folder: Path) -> Figures:
    """Train one candidate with one seed: its figures, and a GAN's in its last state beside them."""
    params = load_yaml(ROOT / "params.yaml")["experiments"][experiment]
    family, place = params["family"], f"experiments.{experiment}"
    for name, value in changes.items():
        params["model" if name in params["model"] else "train"][name] = value
    config = importlib.import_module(f"genline.models.{family}.config")
    section = parse_section(config.Model, params["model"], f"{place}.model")
    settings = parse_section(config.Train, params["train"], f"{place}.train")
    data: Any = without_test(params["dataset"], folder)
    runtime = Runtime(device="cpu", threads=1, precision="32-true")
    context = Context(make_fabric(runtime), derive_seed(seed, "train"))
    make = importlib.import_module(f"genline.training.recipes.{family}").build
    recipe = make(context, data, section, settings)
    trained = train(experiment, recipe, Checkpoints(folder / "checkpoints", experiment, "tuning"))
    judge = load_evaluator(ROOT / "models/evaluators" / params["dataset"]).evaluator
    model = importlib.import_module(f"genline.models.{family}").build(section, data.spec)
    figures = image_figures if isinstance(data, PreparedImages) else text_figures
    found: Figures = {}
    states = {"": trained.weights} | ({", last": recipe.result()} if "gan" in family else {})
    for when, weights in states.items():
        model.load_state_dict(weights)
        told = figures(model.eval().requires_grad_(False), judge, data)
        found |= {f"{name}{when}": told[name] for name in told if name[0] == "F" or not when}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = ", ".join(CANDIDATES)
    parser.add_argument("experiment", nargs="*", help=f"of {known} (default: all)")
    asked = parser.parse_args().experiment
    for name in asked:
        if name not in CANDIDATES:
            parser.error(f"no candidates for '{name}'; known: {known}")
    for experiment in asked or CANDIDATES:
        for changes in CANDIDATES[experiment]:
            runs = []
            for seed in SEEDS:
                with tempfile.TemporaryDirectory() as folder:
                    runs.append(score(experiment, changes, seed, Path(folder)))
            words = ", ".join(f"{name} {value}" for name, value in changes.items())
            columns = {name: np.array([run[name] for run in runs]) for name in runs[0]}
            told = [f"{n} {v.mean():.3g} ± {v.std(ddof=1):.2g}" for n, v in columns.items()]
            print(f"{experiment}: {words}: {'; '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
