"""evaluate: judge an experiment's model on the test split of its dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import genline
from genline.core.errors import ModelError
from genline.core.files import digest_file, digest_tree, digest_value, write_json, write_text
from genline.core.folders import replaced_folder
from genline.core.params import PARAMS_FILE, load_yaml, lookup, read_section
from genline.core.seeds import derive_seed
from genline.data.prepared import (
    Prepared,
    PreparedImages,
    PreparedTexts,
    TextSpec,
    load_prepared,
)
from genline.evaluation import health
from genline.evaluation.config import EvaluateImages
from genline.evaluation.record import Check, Evaluation, Findings
from genline.evaluation.text.config import EvaluateTexts
from genline.evaluation.training_curve import read_curve
from genline.models.base import VariationalModel
from genline.models.evaluators.store import StoredEvaluator, load_evaluator
from genline.models.store import TOKENIZER, StoredModel, load_model
from genline.training.engine.devices import Runtime, resolve_device, use_threads

# Where the code stands that decides a figure of given samples, within the package.
_MEASURING = ("evaluation", "models/evaluators", "stages/evaluate.py")

_ADVERSARIAL = ("image_gan", "image_hybrid")


@dataclass(frozen=True)
class _Case:
    """What stands before the judge."""

    params: EvaluateImages | EvaluateTexts
    model: StoredModel
    judge: StoredEvaluator
    seed: int
    device: torch.device
    free_bits: float  # of the training, nats as its family counts them; 0 where it has none


def run(experiment: str) -> None:
    """Write the metrics, the whole record, the likelihoods of the items and samples of
    ``experiment``; then tell MLflow."""
    from genline.tracking.runs import evaluated_run

    samples = Path("reports/samples") / experiment
    evaluation = judge(experiment, Path("models") / experiment, samples)
    if evaluation.family in _ADVERSARIAL:
        evaluation.findings.health.update(_of_training(experiment))
    record, findings = evaluation.to_json(), evaluation.findings
    write_json(f"reports/metrics/{experiment}.json", evaluation.numbers())
    write_json(f"reports/evaluation/{experiment}.json", record)
    if findings.items is not None:
        write_text(f"reports/items/{experiment}.csv", findings.items.to_csv())
    _say(experiment, findings)
    evaluated_run(record, samples)


def judge(
    experiment: str, folder: Path, samples: Path | None, respelled: bool = False
) -> Evaluation:
    """The evaluation of the model in ``folder`` as ``experiment`` asks; writes ``samples`` alone.

    samples: None writes none. respelled: a model of texts with another vocabulary than the data is
    judged by what both can spell, and not refused. Raises ModelError when the model or the judge
    was made for other data.
    """
    params = load_yaml(PARAMS_FILE)
    runtime = read_section(Runtime, "runtime", params)
    use_threads(runtime)
    device = torch.device(resolve_device(runtime))
    dataset = lookup(params, f"experiments.{experiment}.dataset")
    data = load_prepared(Path("data/prepared") / dataset)
    model = load_model(folder, device)
    evaluator = load_evaluator(Path("models/evaluators") / dataset, device)
    foreign = _speaks_otherwise(model, data)
    if not (foreign and respelled):
        _refuse_others(str(folder), model.spec, data)
    if foreign and not respelled:
        raise ModelError(
            f"{folder / TOKENIZER}: not the vocabulary of {data.folder}, whose texts it cannot "
            "read; run `dvc repro`"
        )
    _refuse_others(f"models/evaluators/{dataset}", evaluator.spec, data)
    # The same for all experiments, so that floors on the same data are the same.
    seed = derive_seed(params["seed"], "evaluate")
    section = _section(experiment, params, data)
    train = lookup(params, f"experiments.{experiment}").get("train", {})
    case = _Case(section, model, evaluator, seed, device, train.get("free_bits", 0.0))

    if isinstance(data, PreparedImages):
        findings = _images(case, data)
    else:
        findings = _texts(case, data, foreign)
    if samples is not None:
        _show(case, data, samples)
    digests = {
        "model": model.digest,
        "data": data.digest,
        "evaluator": evaluator.digest,
        "protocol": protocol(section),
    }
    return Evaluation(experiment, dataset, model.family, data.spec.kind, digests, findings)


def _of_training(experiment: str) -> dict[str, Check]:
    """The checks of how an adversarial image model was trained, by its curve."""
    limits = read_section(EvaluateImages, f"experiments.{experiment}.evaluate").health
    curve = read_curve(Path("reports/training") / f"{experiment}.csv")
    return health.adversarial(curve, limits)


def _section(experiment: str, params: Any, data: Prepared) -> EvaluateImages | EvaluateTexts:
    key = f"experiments.{experiment}.evaluate"
    if isinstance(data, PreparedImages):
        return read_section(EvaluateImages, key, params)
    return read_section(EvaluateTexts, key, params)


def _images(case: _Case, data: PreparedImages) -> Findings:
    from genline.evaluation import images
    from genline.models.evaluators.classifier import ImageClassifier

    assert isinstance(case.judge.evaluator, ImageClassifier)
    params, model = case.params, case.model.model
    assert isinstance(params, EvaluateImages)
    # An image VAE's free bits are those of one latent dimension.
    free_bits = case.free_bits * model.latent if isinstance(model, VariationalModel) else 0.0
    with _one_thread():
        return images.evaluate(
            model, case.judge.evaluator, data, params, case.seed, case.device, free_bits
        )


def _texts(case: _Case, data: PreparedTexts, foreign: bool) -> Findings:
    """``foreign``: the model speaks another vocabulary than the data."""
    from genline.evaluation.text import suite, vocabularies
    from genline.models.evaluators.language_model import LanguageModel

    assert isinstance(case.judge.evaluator, LanguageModel)
    params, model, spec = case.params, case.model.model, case.model.spec
    assert isinstance(params, EvaluateTexts) and isinstance(spec, TextSpec)
    rest = (case.judge.evaluator, data, params, case.seed, case.device, case.free_bits)
    with _one_thread():
        if not foreign:
            return suite.evaluate(model, *rest)
        own = vocabularies.Language(case.model.folder / TOKENIZER, spec.max_tokens)
        return vocabularies.evaluate(model, own, *rest)


def _show(case: _Case, data: Prepared, samples: Path) -> None:
    """Write what a person looks at: grids of images, or lists of texts."""
    from genline.reporting.samples import write_image_grid, write_texts

    params, model = case.params, case.model.model
    count = params.shown
    with replaced_folder(samples) as building:
        if isinstance(data, PreparedImages):
            from genline.evaluation import images

            grids = images.shown(model, data, count, case.seed, case.device)
            for name, grid in grids.items():
                file = building / f"{name}.png"
                write_image_grid(file, grid.images, data.spec.levels, grid.columns)
        else:
            from genline.evaluation.text import suite

            assert isinstance(params, EvaluateTexts)
            texts = suite.shown(model, data, count, case.seed, case.device, params.decoding)
            for name, lines in texts.items():
                write_texts(building / f"{name}.txt", lines)


def protocol(params: EvaluateImages | EvaluateTexts) -> str:
    """sha256 of what decides how figures are measured: counts, draws and code, not limits or grids.

    Figures of unequal counts are not comparable: the bias of a Fréchet distance falls with the
    count, and an importance-weighted bound tightens with the draws. Nor are figures made by other
    code of the metrics or of the evaluators: a champion is then scored again by the code of now.
    """
    settings = params.model_dump(exclude={"health", "shown"})
    package = Path(genline.__file__).parent
    code = digest_tree([package / part for part in _MEASURING], package)
    return digest_value({"settings": settings, "code": code})


def _one_thread() -> Any:
    """For NumPy and SciPy, once they are imported: the matrices are small, so that one thread is
    faster than two that wait for each other, and its sums do not depend on the machine's cores.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(limits=1, user_api="blas")


def _refuse_others(place: str, spec: object, data: Prepared) -> None:
    if spec != data.spec:
        raise ModelError(
            f"{place}: made for {spec}, but {data.folder} holds {data.spec}; run `dvc repro`"
        )


def _speaks_otherwise(model: StoredModel, data: Prepared) -> bool:
    """Whether a model of texts has another vocabulary, or other longest texts, than the data.

    Two vocabularies of one size give other meanings to the same token.
    """
    known = model.folder / TOKENIZER
    if not isinstance(data, PreparedTexts) or not known.is_file():
        return False
    return model.spec != data.spec or digest_file(known) != digest_file(data.tokenizer_file)


def _say(experiment: str, findings: Findings) -> None:
    failed = [name for name, check in findings.health.items() if not check.passed]
    checks = f"health checks failed: {', '.join(failed)}" if failed else "all health checks passed"
    name, metric = next(iter(findings.metrics.items()))
    floor = "" if metric.floor is None else f", floor {metric.floor:.3g}"
    print(f"{experiment}: {name} {metric.value:.4g}{floor}; {checks}")
