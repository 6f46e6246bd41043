"""The files of a trained, judged and registered experiment, and what MLflow shows of them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from genline.core.files import digest_value, write_json, write_text
from genline.tracking.runs import evaluated_run, training_run
from genline.tracking.store import connect, resolve

META = {"spec": {"kind": "image"}, "counts": {"test": 5}}
USED = {
    "seed": 1,
    "runtime": {"device": "cpu", "threads": 1, "precision": "32-true"},
    "dataset": "digits",
    "family": "image_vae",
    "model": {"network": "conv", "latent": 2},
    "train": {"steps": 3},
}
CURVE = [{"step": 1.0, "loss": 10.0, "kl": 1.0}, {"step": 2.0, "loss": 10 / 3, "kl": 2.0}]
CSV = "step,loss,kl\n1,10,1\n2,3.333333,2\n"
# What no file holds: where, when and by what process a run came about.
UNFILED_TAGS = (
    *("genline.process", "genline.process_started", "genline.stage"),
    *("genline.recipe_digest", "genline.artifacts"),
    *("mlflow.user", "mlflow.source.name", "mlflow.source.type", "mlflow.log-model.history"),
)
UNFILED_ARTIFACTS = ("pipeline/packages.json", "pipeline/patch.diff", "pipeline/validation.json")


def write_inputs(*experiments: str) -> str:
    """params.yaml, prepared and validated data in the current folder; the data's digest."""
    sections = {
        name: {
            **{key: USED[key] for key in ("dataset", "family", "model", "train")},
            "register": {"metric": "fid", "margin": 0.0},
        }
        for name in experiments
    }
    params = {"seed": 1, "runtime": USED["runtime"], "experiments": sections}
    write_text("params.yaml", yaml.safe_dump(params))
    write_json("data/prepared/digits/meta.json", META)
    outcome = {"type": "expect_something", "column": "height", "success": True}
    result = {"success": True, "items": 9, "expectations": [outcome], "source": {"name": "digits"}}
    write_json("data/validated/digits/result.json", result)
    source = {"name": "digits", "description": "Hand-written digits", "licence": "CC BY 4.0"}
    write_json("data/raw/digits/source.json", source)
    return digest_value(META)


def write_samples(experiment: str) -> Path:
    folder = Path("reports/samples") / experiment
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("L", (16, 8), 128).save(folder / "samples.png")
    Image.new("L", (16, 8), 64).save(folder / "real.png")
    return folder


def write_lock(experiment: str, model: str = "models") -> None:
    """An entry of dvc.lock as DVC writes it after a training."""
    path = Path("dvc.lock")
    lock = yaml.safe_load(path.read_text()) if path.is_file() else {"schema": "2.0", "stages": {}}
    prefix = f"experiments.{experiment}."
    held = {(k if k in ("seed", "runtime") else prefix + k): v for k, v in USED.items()}
    lock["stages"][f"train@{experiment}"] = {
        "cmd": f"genline train {experiment}",
        "params": {"params.yaml": held},
        "outs": [{"path": f"models/{experiment}", "md5": model}],
    }
    path.write_text(yaml.safe_dump(lock))


@contextmanager
def trained(experiment: str, data: str, model: str) -> Iterator[Any]:
    """A training as the stage does it; what happens inside comes before its last row."""
    with training_run(experiment, "digits", data, USED, "r" * 64) as run:
        run.row(CURVE[0])
        yield run
        run.row(CURVE[1])
        run.trained(model, seconds=2.0, steps=2)


def finish(experiment: str, evaluation: dict[str, Any]) -> None:
    """What evaluate writes, and tells MLflow."""
    write_text(f"reports/training/{experiment}.csv", CSV)
    write_json(f"reports/evaluation/{experiment}.json", evaluation)
    write_text(f"reports/items/{experiment}.csv", "item,dimensions,nll\n0,64,16.0\n1,64,17.0\n")
    evaluated_run(evaluation, write_samples(experiment))


def fresh_mlflow(ready_database: bytes) -> None:
    """An MLflow that has seen nothing. Elsewhere: MLflow keeps a database it has opened open."""
    folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix="mlflow-")).resolve()
    (folder / "mlflow.db").write_bytes(ready_database)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"  # undone by conftest


def shown() -> dict[str, Any]:
    """What MLflow shows that files tell of, without ids and times."""
    client = connect(resolve())
    places = [e.experiment_id for e in client.search_experiments() if e.name != "Default"]
    runs = [_run(client, run) for run in client.search_runs(places)]
    models = {
        model.name: {
            "description": model.description,
            "aliases": {k: str(v) for k, v in model.aliases.items()},
            "versions": [
                {"tags": dict(v.tags), "description": v.description}
                for v in client.search_model_versions(f"name = '{model.name}'")
            ],
        }
        for model in client.search_registered_models()
    }
    return {"runs": sorted(runs, key=lambda r: r["name"]), "models": models}


def _run(client: Any, run: Any) -> dict[str, Any]:
    tags = {k: v for k, v in run.data.tags.items() if k not in UNFILED_TAGS}
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "params": dict(run.data.params),
        "tags": tags,
        "metrics": {
            key: sorted(
                (p.step, f"{p.value:.7g}") for p in client.get_metric_history(run.info.run_id, key)
            )
            for key in run.data.metrics
            if key not in ("train/seconds", "train/steps_per_second")
        },
        "inputs": [(i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs],
        "artifacts": sorted(
            name.split("+")[0] if name.startswith("images/") else name
            for name in _names(client, run.info.run_id, "")
            if name not in UNFILED_ARTIFACTS
        ),
    }


def _names(client: Any, run_id: str, folder: str) -> Iterator[str]:
    for found in client.list_artifacts(run_id, folder or None):
        if found.is_dir:
            yield from _names(client, run_id, found.path)
        else:
            yield found.path


def differences(one: Any, other: Any) -> str:
    """Two views side by side, where they differ."""
    a, b = (json.dumps(x, indent=1, sort_keys=True).splitlines() for x in (one, other))
    return "\n".join([f"- {x}" for x in a if x not in b] + [f"+ {x}" for x in b if x not in a])
