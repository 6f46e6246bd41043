"""``genline register E``: the model into MLflow's registry, behind the gate."""

from __future__ import annotations

from pathlib import Path

from genline.core.errors import ModelError
from genline.core.files import digest_file, read_json, write_json
from genline.core.params import read_section
from genline.models import WEIGHTS
from genline.stages.rescore import rescoring
from genline.tracking.config import Register
from genline.tracking.registry import promote

_WORDS = {"champion": "is champion", "challenger": "is registered as challenger"}


def run(experiment: str) -> None:
    """Read ``models/E/``, ``reports/evaluation/E.json`` and ``reports/items/E.csv``; write
    ``reports/promotion/E.json``."""
    register = read_section(Register, f"experiments.{experiment}.register")
    evaluation = read_json(f"reports/evaluation/{experiment}.json")
    folder = Path("models", experiment)
    _check(folder, evaluation["digests"]["model"])
    items = Path("reports/items", f"{experiment}.csv")
    promotion = promote(evaluation, items, folder, register, rescoring(experiment))
    write_json(f"reports/promotion/{experiment}.json", promotion)
    # What was done to the registry is no file: this stands for it where it was done.
    write_json(f"reports/registered/{experiment}.json", {"model": evaluation["digests"]["model"]})
    print(f"{experiment} {_WORDS[promotion['decision']]}: {promotion['reason']}")


def _check(folder: Path, digest: str) -> None:
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ModelError(f"{weights}: no such file; run `dvc repro`")
    if digest_file(weights) != digest:
        raise ModelError(
            f"{weights}: not the weights that reports/evaluation/{folder.name}.json is about; "
            "`dvc repro` evaluates them"
        )
