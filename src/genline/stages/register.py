"""``genline register E``: the model into MLflow's registry, behind the gate."""

from __future__ import annotations

import os
from pathlib import Path

from genline.core.errors import ModelError
from genline.core.files import digest_file, read_json, write_json
from genline.core.params import read_section
from genline.models import WEIGHTS
from genline.stages.rescore import rescoring
from genline.tracking.config import Register
from genline.tracking.registry import promote
from genline.tracking.vetoes import split_of

_WORDS = {"champion": "is champion", "challenger": "is registered as challenger"}


def run(experiment: str) -> None:
    """Read ``models/E/``, ``reports/evaluation/E.json`` and ``reports/items/E.csv``; write
    ``reports/promotion/E.json``."""
    register = read_section(Register, f"experiments.{experiment}.register")
    evaluation = read_json(f"reports/evaluation/{experiment}.json")
    folder = Path("models", experiment)
    _check(folder, evaluation["digests"]["model"])
    items = Path("reports/items", f"{experiment}.csv")
    # Set by `genline retrain`, which promotes only what was merged or at least pushed.
    hold = os.environ.get("GENLINE_HOLD_PROMOTION") == "1"
    rescore, split = rescoring(experiment), split_of(evaluation["dataset"])
    promotion = promote(evaluation, items, folder, register, rescore, hold, split)
    write_json(f"reports/promotion/{experiment}.json", promotion)
    # What was done to the registry is no file: this stands for it where it was done.
    write_json(f"reports/registered/{experiment}.json", {"model": evaluation["digests"]["model"]})
    waits = hold and promotion["decision"] == "champion"
    words = "is to be champion" if waits else _WORDS[promotion["decision"]]
    print(f"{experiment} {words}: {promotion['reason']}")


def _check(folder: Path, digest: str) -> None:
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ModelError(f"{weights}: no such file; run `dvc repro`")
    if digest_file(weights) != digest:
        raise ModelError(
            f"{weights}: not the weights that reports/evaluation/{folder.name}.json is about; "
            "`dvc repro` evaluates them"
        )
