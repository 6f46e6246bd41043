"""A preset of an image model on a GPU: how fast a step is, and what so many steps come to.

First the step alone: warmed up, then repeated for some seconds; images a second, the GPU's
utilisation and memory as nvidia-smi tells them, how often a step waits for the device, and, with
--profile, the share of the kernels in the step's time. Then, with --steps, the whole training in
that many steps, everything of the preset that is a share of them shrinking alike, and what the
judge of the data set says of it: FID with its interval and floor, likelihood, health.

    genline init --from mnist && dvc repro fit_evaluator@mnist
    .venv/bin/python benchmarks/gpu.py data/prepared/mnist presets/mnist-gan-full.yaml \
        --evaluator models/evaluators/mnist --steps 20000 --out /tmp/mnist-gan

In place of a folder, `noise:3x32x32` times the step on random images of that shape.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import profiler

import genline  # noqa: F401  (sets cuBLAS's workspace before torch starts CUDA)
from genline.core.files import write_json
from genline.core.params import load_yaml, parse_section
from genline.core.seeds import derive_seed
from genline.data.prepared import PreparedImages, load_images
from genline.evaluation import images
from genline.evaluation.config import EvaluateImages
from genline.models.base import VariationalModel
from genline.models.evaluators.store import load_evaluator
from genline.models.store import family_config, load_model, save_model
from genline.reporting.samples import write_image_grid
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context, Recipe

SEED = 2026
WARM_UP = 30  # steps before any is timed
REPEATS = 5  # of the timing; the median is told
TOLD = ("fid", "unseen_fid", "precision", "recall", "class_kl", "memorisation", "copied")


class Watch:
    """What nvidia-smi says of the GPU while the block runs, every half second."""

    _ASKED = "utilization.gpu,memory.used,power.draw"

    def __enter__(self) -> Watch:
        self.rows: list[list[float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        command = ["nvidia-smi", f"--query-gpu={self._ASKED}", "--format=csv,noheader,nounits"]
        while not self._over.wait(0.5):
            said = subprocess.run(command, capture_output=True, text=True).stdout
            try:
                self.rows.append([float(cell) for cell in said.splitlines()[0].split(",")])
            except (IndexError, ValueError):  # it had nothing to say
                continue

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def figures(self) -> dict[str, float]:
        """Means: utilisation in %, memory in MiB, power in W."""
        if not self.rows:
            return {}
        means = [round(statistics.fmean(column), 1) for column in zip(*self.rows, strict=True)]
        return dict(zip(("utilisation", "memory", "power"), means, strict=True))


def prepared(place: str, folder: Path) -> PreparedImages:
    if not place.startswith("noise:"):
        return load_images(Path(place))
    channels, height, width = map(int, place.removeprefix("noise:").split("x"))
    random, counts = np.random.default_rng(SEED), {"train": 20_000, "valid": 2000, "test": 2000}
    for split, count in counts.items():
        shape = (count, channels, height, width)
        np.save(folder / f"{split}_images.npy", random.integers(0, 256, shape, dtype=np.uint8))
        np.save(folder / f"{split}_labels.npy", random.integers(0, 10, count))
    size = {"channels": channels, "height": height, "width": width}
    spec = {"kind": "image", **size, "levels": 256, "classes": 10}
    write_json(folder / "meta.json", {"spec": spec, "counts": counts})
    return load_images(folder)


def entry(preset: Path) -> tuple[str, dict[str, Any]]:
    written = load_yaml(preset)
    ((name, found),) = written.get("experiments", written).items()
    return name, found


def change(section: dict[str, Any], asked: argparse.Namespace) -> None:
    """Put into a preset's entry what the command line says otherwise."""
    for key, part in (
        ("batch", "train"),
        ("draws", "evaluate"),
        ("importance_samples", "evaluate"),
    ):
        if (value := getattr(asked, key)) is not None:
            section[part][key] = value
    if asked.samplers:
        section["model"]["samplers"] = asked.samplers.split(",")
    if asked.components:
        section["model"]["gmm_components"] = [asked.components]


def synchronised() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def speed(recipe: Recipe, batch: int, seconds: float) -> dict[str, Any]:
    """Of the step alone: median and spread of ``REPEATS`` timings, and its waits."""
    done = WARM_UP
    for step in range(done):
        recipe.step(step)
    began = synchronised()
    for step in range(done, done + 10):
        recipe.step(step)
    done += 10
    # Whole hundreds, so that what happens every few steps has its share.
    count = 100 * max(1, round(seconds / REPEATS / ((synchronised() - began) / 10) / 100))
    rates = []
    with Watch() as watch:
        for _ in range(REPEATS):
            began = synchronised()
            for step in range(done, done + count):
                recipe.step(step)
            rates.append(count * batch / (synchronised() - began))
            done += count
    rate = statistics.median(rates)
    return {
        "images_per_second": round(rate),
        "range": [round(min(rates)), round(max(rates))],
        "milliseconds_a_step": round(1000 * batch / rate, 3),
        "waits_in_100_steps": waits(recipe, done),
        **watch.figures(),
    }


def waits(recipe: Recipe, start: int) -> int:
    """How often 100 steps make the processor wait for the GPU, as torch sees it."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for step in range(start, start + 100):
                recipe.step(step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in said)


def profile(recipe: Recipe, start: int, steps: int = 40) -> str:
    """Kernel time of a step beside its wall time, and where it goes."""
    began = synchronised()
    for step in range(start, start + steps):
        recipe.step(step)
    wall = (synchronised() - began) / steps
    kinds = [profiler.ProfilerActivity.CPU, profiler.ProfilerActivity.CUDA]
    with profiler.profile(activities=kinds) as found:
        for step in range(start, start + steps):
            recipe.step(step)
        torch.cuda.synchronize()
    averages = found.key_averages()
    kernels = [row for row in averages if row.device_type == torch.autograd.DeviceType.CUDA]
    busy = sum(row.self_device_time_total for row in kernels) / steps / 1e6
    count = sum(row.count for row in kernels) / steps
    table = averages.table(sort_by="self_device_time_total", row_limit=16, max_name_column_width=70)
    return (
        f"a step takes {1000 * wall:.2f} ms, its {count:.0f} kernels {1000 * busy:.2f} ms\n{table}"
    )


def quality(
    folder: Path, evaluator: Path, data: PreparedImages, section: dict[str, Any], out: Path
) -> dict[str, Any]:
    device = torch.device("cuda")
    model = load_model(folder, device).model
    judge: Any = load_evaluator(evaluator, device).evaluator
    params = parse_section(EvaluateImages, section["evaluate"], "evaluate")
    free_bits = 0.0
    if isinstance(model, VariationalModel):
        free_bits = section["train"].get("free_bits", 0.0) * model.latent
    seed = derive_seed(SEED, "evaluate")
    findings = images.evaluate(model, judge, data, params, seed, device, free_bits)
    for name, grid in images.shown(model, data, params.shown, seed, device).items():
        write_image_grid(out / f"{name}.png", grid.images, data.spec.levels, grid.columns)
    metrics = {
        name: {"value": m.value, "low": m.low, "high": m.high, "floor": m.floor}
        for name, m in findings.metrics.items()
    }
    health = {name: check.passed for name, check in findings.health.items()}
    return {"metrics": metrics, "health": health}


def report(name: str, found: dict[str, Any]) -> None:
    print(f"{name}: {json.dumps({k: v for k, v in found.items() if k != 'metrics'})}", flush=True)
    for metric, row in found.get("metrics", {}).items():
        if metric in TOLD or metric.startswith(("fid", "nll", "bits", "elbo")):
            cells = ", ".join(f"{k} {v:.4f}" for k, v in row.items() if v is not None)
            print(f"  {metric}: {cells}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", help="data/prepared/<dataset>, or noise:CxHxW")
    parser.add_argument("preset", type=Path)
    parser.add_argument("--batch", type=int, help="instead of the preset's")
    parser.add_argument("--precision", default="32-true", choices=["32-true", "bf16-mixed"])
    parser.add_argument("--seconds", type=float, default=10.0, help="of timing; 0: none")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--steps", type=int, default=0, help="of the training; 0: none")
    parser.add_argument("--draws", type=int, help="instead of the preset's")
    parser.add_argument("--most", type=int, help="images of a set, instead of the preset's")
    parser.add_argument("--importance-samples", type=int, help="instead of the preset's")
    parser.add_argument("--samplers", help="of a VAE, such as gmm,prior, instead of the preset's")
    parser.add_argument("--components", type=int, help="of the gmm, instead of the preset's")
    parser.add_argument("--evaluator", type=Path, help="models/evaluators/<dataset>")
    parser.add_argument("--out", type=Path, help="folder of the model, its samples and figures")
    asked = parser.parse_args()
    name, section = entry(asked.preset)
    change(section, asked)
    config = family_config(section["family"])
    model = parse_section(config.Model, section["model"], "model")
    full = parse_section(config.Train, section["train"], "train")
    runtime = Runtime(device="cuda", threads=1, precision=asked.precision)
    context = Context(make_fabric(runtime), derive_seed(SEED, "train"))
    build = importlib.import_module(f"genline.training.recipes.{section['family']}").build
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "precision": asked.precision,
        "batch": full.batch,
    }
    with tempfile.TemporaryDirectory() as temporary:
        data = prepared(asked.prepared, Path(temporary))
        if asked.seconds:
            found |= speed(build(context, data, model, full), full.batch, asked.seconds)
        if asked.profile:
            recipe = build(context, data, model, full)
            for step in range(WARM_UP):
                recipe.step(step)
            print(profile(recipe, WARM_UP))
        if asked.steps:
            every = max(1, full.validate_every * asked.steps // full.steps)
            short = full.model_copy(update={"steps": asked.steps, "validate_every": every})
            with Watch() as watch:
                began = time.monotonic()
                recipe = build(context, data, model, short)
                trained = train(name, recipe, Checkpoints(temporary, name, "0" * 64))
            rate = round(asked.steps * full.batch / trained.seconds)
            found["training"] = {
                "steps": asked.steps,
                "seconds": round(time.monotonic() - began, 1),
                "images_per_second": rate,
                **watch.figures(),
            }
            print(name, found["training"], flush=True)
            asked.out.mkdir(parents=True, exist_ok=True)
            folder = asked.out / "model"
            save_model(folder, section["family"], model, data.spec, trained.weights)
            (asked.out / "curve.csv").write_text(trained.history.csv(), encoding="utf-8")
            began = time.monotonic()
            found |= quality(folder, asked.evaluator, data, section, asked.out)
            found["seconds_of_judging"] = round(time.monotonic() - began, 1)
    report(name, found)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        write_json(asked.out / "figures.json", found)


if __name__ == "__main__":
    main()
