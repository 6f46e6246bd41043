"""Image models against peers at an equal budget: FID by one frozen judge, and the time to reach it.

Budgets are seconds of one core (process time of one thread): on a shared machine the wall says
little. Rows: the VAE and the GAN of the presets, trained in as many steps as a budget holds, their
schedules shrinking alike; pythae's VAE with its mixture; a plain DCGAN. What a row costs beyond its
training, the judging, is counted for none. Every row is appended to --out as soon as it is known,
with the FID of 10,000 samples to the test split, its 95 % interval and floor.

    genline init --from mnist && dvc repro fit_evaluator@mnist
    .venv/bin/python benchmarks/image_quality.py data/prepared/mnist models/evaluators/mnist \
        --seeds 1 2 3 --out mnist.jsonl

`--rows vae:150 vae:600 pythae:600 gan:200 gan:600 dcgan:600` are the default. pythae (0.1.2) is
not among genline's packages; `--rows` without it runs without it. `binary:600` is the VAE on
statically binarised images, judged by its importance-weighted likelihood. `--try` tells instead,
by FID to the validation split, which of each peer's networks does best in a short training.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.images import NETWORKS, Clock, dcgan, pythae_vae

import genline  # noqa: F401  (sets libgomp's spinning before torch is imported)
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed, numpy_generator
from genline.data.prepared import PreparedImages, load_images
from genline.evaluation.frechet_jackknife import RealItems, jackknifed_distance
from genline.evaluation.images import draw, shown
from genline.evaluation.variational import encode, likelihoods
from genline.models.evaluators.store import load_evaluator
from genline.models.store import family_config
from genline.reporting.samples import write_image_grid
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context

ROOT = Path(__file__).parents[1]
ROWS = ("vae:150", "vae:600", "pythae:600", "gan:200", "gan:600", "dcgan:600")
CALIBRATION = 60  # steps that say how long one takes
VALIDATIONS = 3  # of a training; the state that validates best is kept
FLOORS = 3  # sets of training images
CPU = torch.device("cpu")


class Judge:
    """FID to one split by the frozen evaluator, and how low real training images come."""

    def __init__(self, folder: Path, data: PreparedImages, split: Any, count: int) -> None:
        self.network: Any = load_evaluator(folder).evaluator
        real = np.asarray(data.split(split).images)
        self.count = min(count, len(real))
        chosen = numpy_generator(0, "real").permutation(len(real))[: self.count]
        self.real = RealItems(self.network.embed(real[np.sort(chosen)]).features)
        images = data.split("train").images
        order = numpy_generator(0, "floors").permutation(len(images))
        sets = [np.sort(part[: self.count]) for part in np.array_split(order, FLOORS)]
        found = [self.real.distance(self.network.embed(images[x]).features) for x in sets]
        self.floor = float(np.mean(found))

    def figures(self, model: Any, seed: int) -> dict[str, float]:
        """FID of one set of samples, with the errors of the samples and of the real images."""
        noise = torch.Generator().manual_seed(derive_seed(seed, "samples"))
        features = self.network.embed(draw(model, self.count, noise)).features
        found = jackknifed_distance(features, self.real)
        spread = found.error.around(found.value).within(0.0)
        return {"fid": found.value, "low": spread.low, "high": spread.high, "floor": self.floor}


def entry(dataset: str, kind: str) -> dict[str, Any]:
    name = {"vae": "image-vae", "binary": "image-vae", "gan": "gan"}[kind]
    (found,) = load_yaml(ROOT / f"presets/{dataset}-{name}-small.yaml")["experiments"].values()
    if kind == "binary":
        found["model"] |= {"likelihood": "bernoulli", "binarise": "static"}
    return dict(found)


def ours(
    section: dict[str, Any], data: PreparedImages, seconds: float, seed: int
) -> tuple[float, int, Any]:
    """Core seconds spent, steps and the model of a preset, its samplers fitted, in ``seconds``.

    A first training of a few steps says how many there is time for; only the second counts.
    """
    config = family_config(section["family"])
    model = parse_section(config.Model, section["model"], "model")
    settings = parse_section(config.Train, section["train"], "train")
    context = Context(make_fabric(Runtime(device="cpu", threads=1, precision="32-true")), seed)
    build = importlib.import_module(f"genline.training.recipes.{section['family']}").build
    trial = build(context, data, model, settings)
    for step in range(10):
        trial.step(step)
    each = _seconds(lambda: [trial.step(10 + step) for step in range(CALIBRATION)]) / CALIBRATION
    validation = _seconds(lambda: trial.validate(CALIBRATION))
    finish = _seconds(lambda: trial.finish(trial.result()))
    steps = max(CALIBRATION, int((seconds - finish - VALIDATIONS * validation) / each))
    every = max(1, steps // VALIDATIONS)
    settings = settings.model_copy(update={"steps": steps, "validate_every": every})
    clock = Clock()
    recipe = build(context, data, model, settings)
    with tempfile.TemporaryDirectory() as folder:
        done = train("training", recipe, Checkpoints(folder, "quality", "benchmark"))
    spent = clock.seconds
    family = importlib.import_module(f"genline.models.{section['family']}")
    built = family.build(model, data.spec)
    built.load_state_dict(done.weights)
    return spent, steps, built.eval().requires_grad_(False)


def _seconds(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def nll(model: Any, data: PreparedImages, count: int, draws: int) -> dict[str, float]:
    """Importance-weighted NLL of test images, nats each, and its 95 % interval."""
    images = np.asarray(data.split("test").images)
    chosen = np.sort(numpy_generator(0, "nll").permutation(len(images))[:count])
    batches = [torch.tensor(x) for x in np.array_split(images[chosen], max(1, count // 50))]
    posteriors, noise = encode(model, batches), torch.Generator().manual_seed(0)
    found = likelihoods(model, batches, posteriors, draws, noise, rows=512)
    bound = float((found.reconstruction + posteriors.kl).mean())
    half = 1.96 * float(found.nll.std(ddof=1)) / math.sqrt(len(found.nll))
    mean = float(found.nll.mean())
    told = {"nll": mean, "low": mean - half, "high": mean + half, "bound": bound}
    return told | {"kl": float(posteriors.kl.mean()), "draws": draws, "images": count}


Found = tuple[float, float, int, Any]  # seconds asked for and spent, steps, model


def trained(
    kind: str, times: list[float], data: PreparedImages, seed: int, asked: argparse.Namespace
) -> Iterator[Found]:
    """The models of one kind after each of ``times``."""
    if kind not in ("pythae", "dcgan"):
        section = entry(asked.data.name, kind)
        for seconds in times:
            yield (seconds, *ours(section, data, seconds, derive_seed(seed, "train")))
        return
    levels = data.spec.levels

    # A state must be judged before its training goes on: it is not copied.
    def judged(spent: float, steps: int, model: Any) -> None:
        seconds = min(times, key=lambda other: abs(other - spent))
        report(asked, kind, seed, (seconds, spent, steps, model), data)

    images = np.asarray(data.split("train").images)
    if kind == "pythae":
        valid = np.asarray(data.split("valid").images)
        pythae_vae(images, valid, asked.pythae_network, times, seed, levels, judged)
    else:
        dcgan(images, asked.dcgan_width, asked.dcgan_batch, times, seed, levels, judged)


def report(
    asked: argparse.Namespace, kind: str, seed: int, found: Found, data: PreparedImages
) -> None:
    seconds, spent, steps, model = found
    row: dict[str, Any] = {
        "data": asked.data.name,
        "row": f"{kind}:{seconds:g}",
        "seed": seed,
        "core_seconds": round(spent, 1),
        "steps": steps,
    }
    if kind == "binary":
        row |= nll(model, data, asked.nll_images, asked.nll_draws)
    else:
        row |= asked.judge.figures(model, seed)
    print(json.dumps(row), flush=True)
    if asked.out:
        with asked.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    if asked.grids:
        asked.grids.mkdir(parents=True, exist_ok=True)
        grid = shown(model, data, 100, seed, CPU)["samples"]
        name = f"{asked.data.name}-{kind}-{seconds:g}-{seed}.png"
        write_image_grid(asked.grids / name, grid.images, data.spec.levels, grid.columns)


def choose(asked: argparse.Namespace, data: PreparedImages) -> None:
    """FID to the validation split of each peer's candidates after a short training."""
    for network in NETWORKS:
        asked.pythae_network = network
        print(f"pythae, {network}:", flush=True)
        list(trained("pythae", [getattr(asked, "try")], data, 0, asked))
    for width, batch in ((32, 64), (64, 128)):
        asked.dcgan_width, asked.dcgan_batch = width, batch
        print(f"DCGAN, width {width}, batch {batch}:", flush=True)
        list(trained("dcgan", [getattr(asked, "try")], data, 0, asked))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="data/prepared/<dataset>")
    parser.add_argument("evaluator", type=Path, help="models/evaluators/<dataset>")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), help="kind:seconds, in this order")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, help="JSON lines, appended to")
    parser.add_argument("--grids", type=Path, help="folder of a picture of samples of each row")
    parser.add_argument("--samples", type=int, default=10_000, help="of a set")
    parser.add_argument("--pythae-network", choices=NETWORKS, default="mlp")
    parser.add_argument("--dcgan-width", type=int, default=32, help="channels of its last layers")
    parser.add_argument("--dcgan-batch", type=int, default=64)
    parser.add_argument("--nll-images", type=int, default=1000, help="of the test split")
    parser.add_argument("--nll-draws", type=int, default=500, help="of z an image")
    parser.add_argument("--try", type=float, metavar="SECONDS", help="choose the peers' networks")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = load_images(asked.data)
    split = "valid" if getattr(asked, "try") else "test"
    asked.judge = Judge(asked.evaluator, data, split, asked.samples)
    if getattr(asked, "try"):
        choose(asked, data)
        return
    for seed in asked.seeds:
        # Neighbours of one kind are one training of a peer, which is told at each of their times.
        for kind, rows in groupby(asked.rows, key=lambda row: row.split(":")[0]):
            times = sorted(float(row.split(":")[1]) for row in rows)
            for found in trained(kind, times, data, seed, asked):
                report(asked, kind, seed, found, data)


if __name__ == "__main__":
    main()
