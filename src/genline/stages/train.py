"""train: one experiment's model into ``models/<e>/``, its curve into ``reports/training/<e>.csv``.

A killed training goes on from its checkpoint the next time, to the same weights.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from genline.core.files import digest_value, write_text
from genline.core.params import PARAMS_FILE, load_yaml, lookup, parse_section, read_section
from genline.core.pipeline import code_digest
from genline.core.seeds import derive_seed
from genline.data.prepared import PreparedTexts, load_prepared
from genline.models.store import family_config, save_model
from genline.tracking.runs import training_run
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context, Recipe


def run(experiment: str) -> None:
    """Train ``experiment`` of params.yaml from ``data/prepared/<dataset>/``."""
    params = load_yaml(PARAMS_FILE)
    key = f"experiments.{experiment}"
    dataset, family = lookup(params, f"{key}.dataset"), lookup(params, f"{key}.family")
    config = family_config(family)
    model = parse_section(config.Model, lookup(params, f"{key}.model"), f"{key}.model")
    section = parse_section(config.Train, lookup(params, f"{key}.train"), f"{key}.train")
    runtime = read_section(Runtime, "runtime", params)
    used = {
        "seed": lookup(params, "seed"),
        "runtime": runtime.model_dump(),
        "dataset": dataset,
        "family": family,
        "model": model.model_dump(),
        "train": section.model_dump(),
    }
    data = load_prepared(Path("data/prepared") / dataset)
    code = code_digest("train", experiment, lookup(params, key))
    digest = digest_value([used, data.digest, code])
    checkpoints = Checkpoints(".genline/checkpoints", experiment, digest)
    # Held until the outputs stand: an orphan of a killed pipeline must not write them as well.
    with (
        checkpoints.locked(),
        training_run(experiment, dataset, data.digest, used, digest) as tracked,
    ):
        context = Context(make_fabric(runtime), derive_seed(used["seed"], "train"))
        trained = train(
            experiment, _recipe(family, context, data, model, section), checkpoints, tracked.row
        )
        tokenizer = data.tokenizer_file if isinstance(data, PreparedTexts) else None
        folder = Path("models") / experiment
        written = save_model(folder, family, model, data.spec, trained.weights, tokenizer)
        write_text(Path("reports/training") / f"{experiment}.csv", trained.history.csv())
        checkpoints.clear()
        tracked.trained(written, trained.seconds, trained.steps_done)


def _recipe(family: str, *arguments: Any) -> Recipe:
    module = importlib.import_module(f"genline.training.recipes.{family}")
    recipe: Recipe = module.build(*arguments)
    return recipe
