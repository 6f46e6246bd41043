"""`genline sync` of 20 runs into an empty MLflow, once more, and `genline lineage` of one of them.

Makes a project of 20 small trained, judged and registered experiments, as `dvc pull` leaves them on
a machine that never trained, and measures the command in a process of its own. With a server's
address in MLFLOW_TRACKING_URI it fills that server instead of a database.

    .venv/bin/python benchmarks/sync.py
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from genline.core.files import digest_value, write_json, write_text
from genline.data.prepared import ImageSpec
from genline.models.image_vae import build
from genline.models.image_vae.config import Model
from genline.models.initialisation import seeded
from genline.models.store import save_model

RUNS = 20
LIMIT, LINEAGE_LIMIT = 30.0, 1.5  # seconds
ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
POINTS, METRICS = 100, 30  # rows of a curve and figures of an evaluation, as real ones have


def metric(value: float) -> dict[str, Any]:
    numbers = {"value": value, "low": value - 0.1, "high": value + 0.1, "standard_error": 0.05}
    words = {"title": "A figure", "unit": "", "interval": "bootstrap", "about": "One sentence."}
    return {**numbers, **words, "count": 540, "floor": 0.5, "better": "lower", "left_out": []}


def make(experiment: str, seed: int, data: str, section: dict[str, Any]) -> None:
    """All files of one experiment; ``section`` is the one of params.yaml."""
    model = Model(**section["model"])
    spec = ImageSpec(channels=1, height=8, width=8, levels=17, classes=10)
    with seeded(seed):
        weights = build(model, spec).state_dict()
    digest = save_model(Path("models") / experiment, "image_vae", model, spec, weights)
    rows = [f"{10 * i},{100 / i:.7g},{i:.7g},{i / 2:.7g}" for i in range(1, POINTS + 1)]
    curve = "\n".join(["step,loss,reconstruction,kl", *rows]) + "\n"
    write_text(f"reports/training/{experiment}.csv", curve)
    digests = {"model": digest, "data": data, "evaluator": "e" * 64, "protocol": "p" * 64}
    evaluation = {
        "experiment": experiment,
        "dataset": "digits",
        "family": "image_vae",
        "kind": "image",
        "digests": digests,
        "metrics": {f"metric_{i}": metric(i + seed / 7) for i in range(METRICS)},
        "health": {"divergence": {"passed": True, "reason": "FID is 1.2 times its floor"}},
        "temperature_sweep": [],
    }
    write_json(f"reports/evaluation/{experiment}.json", evaluation)
    write_text(f"reports/items/{experiment}.csv", "item,dimensions,nll\n0,64,16.0\n")
    decided = {"decision": "champion", "reason": "the first healthy version", "against": None}
    gate = {"metric": "metric_0", "margin": 0.0, "candidate": None, "champion": None}
    promotion = {"experiment": experiment, "digests": digests, **decided, **gate}
    write_json(f"reports/promotion/{experiment}.json", promotion)
    samples = Path("reports/samples") / experiment
    samples.mkdir(parents=True)
    noise = np.random.default_rng(seed)
    for name in ("samples", "samples_prior", "real", "reconstructions"):
        grid = noise.integers(0, 255, (400, 400), dtype=np.uint8)
        Image.fromarray(grid).save(samples / f"{name}.png")


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["datasets"] = {"digits": params["datasets"]["digits"]}
        section = params["experiments"]["digits-vae"]
        params["experiments"] = {f"vae-{i:02}": section for i in range(RUNS)}
        write_text("params.yaml", yaml.safe_dump(params))
        shutil.copytree(ROOT / "data/expectations", "data/expectations")
        meta = {"spec": {"kind": "image"}}
        write_json("data/prepared/digits/meta.json", meta)
        for number, experiment in enumerate(params["experiments"]):
            make(experiment, number, digest_value(meta), section)
        for title, command, limit in (
            (f"sync of {RUNS} runs, empty MLflow", ["sync"], LIMIT),
            (f"sync of {RUNS} runs, nothing to add", ["sync"], LIMIT),
            ("lineage of one of them", ["lineage", "vae-00@champion"], LINEAGE_LIMIT),
        ):
            began, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [sys.executable, "-m", "genline", *command],
                env=environment,
                capture_output=True,
                text=True,
            )
            seconds, now = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
            if done.returncode != 0:
                sys.exit(done.stderr)
            print(
                f"{title:32} {seconds:6.2f} s  limit {limit:4.1f} s  ratio {seconds / limit:.2f}  "
                f"(processor {processor:.2f} s)"
            )
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
