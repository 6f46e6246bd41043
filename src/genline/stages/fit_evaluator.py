"""fit-evaluator: the frozen judge of a dataset, into ``models/evaluators/<dataset>/``."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from genline.core.files import digest_value, write_json
from genline.core.params import PARAMS_FILE, Section, load_yaml, lookup, read_section
from genline.core.pipeline import code_digest
from genline.core.seeds import derive_seed
from genline.data.prepared import Prepared, PreparedImages, load_prepared
from genline.models.evaluators.config import ImageEvaluator, TextEvaluator
from genline.models.evaluators.store import load_evaluator, save_evaluator
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context, Recipe
from genline.training.recipes.evaluators import classifier, language_model

QUALITY = "evaluator.json"


def run(dataset: str) -> None:
    """Fit the judge of ``dataset`` on its training split; how good it is stands beside it."""
    params = load_yaml(PARAMS_FILE)
    runtime = read_section(Runtime, "runtime", params)
    data = load_prepared(Path("data/prepared") / dataset)
    kind = ImageEvaluator if isinstance(data, PreparedImages) else TextEvaluator
    section: Section = read_section(kind, f"datasets.{dataset}.evaluator", params)
    seed = derive_seed(lookup(params, "seed"), "evaluator", dataset)
    code = code_digest("fit_evaluator", dataset, lookup(params, f"datasets.{dataset}"))
    used = [seed, runtime.model_dump(), section.model_dump(), data.digest, code]
    checkpoints = Checkpoints(".genline/checkpoints", f"evaluator-{dataset}", digest_value(used))
    # Held until the outputs stand: an orphan of a killed pipeline must not write them as well.
    with checkpoints.locked():
        context = Context(make_fabric(runtime), seed)
        recipe = _recipe(context, data, section)
        trained = train(f"evaluator of {dataset}", recipe, checkpoints)
        folder = Path("models/evaluators") / dataset
        save_evaluator(folder, section, data.spec, trained.weights)
        quality = _quality(load_evaluator(folder, context.device).evaluator, data)
        write_json(folder / QUALITY, quality)
        checkpoints.clear()
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in quality.items())
    print(f"evaluator of {dataset}: {figures}")


def _recipe(context: Context, data: Prepared, section: Section) -> Recipe:
    if isinstance(data, PreparedImages):
        assert isinstance(section, ImageEvaluator)
        return classifier.build(context, data, section)
    assert isinstance(section, TextEvaluator)
    return language_model.build(context, data, section)


def _quality(judge: nn.Module, data: Prepared) -> dict[str, float]:
    if isinstance(data, PreparedImages):
        return classifier.assess(judge, data)
    return language_model.assess(judge, data)
