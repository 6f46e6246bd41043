"""Judging a model of texts: its samples, its likelihood where it has one, and its health."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from genline.core.errors import ModelError
from genline.core.seeds import derive_seed, numpy_generator
from genline.data.prepared import PreparedTexts, TextSplit, strip_marks
from genline.data.tokenizer import TextTokenizer
from genline.evaluation import health
from genline.evaluation.comparison import difference_error
from genline.evaluation.frechet_jackknife import GROUPS
from genline.evaluation.items import Items
from genline.evaluation.record import Check, Description, Findings, Metric, of_sampler
from genline.evaluation.text.config import EvaluateTexts, TextHealth
from genline.evaluation.text.health import low_variety
from genline.evaluation.text.likelihood_metrics import (
    baseline_metrics,
    own_nats,
    own_perplexities,
    variational_text_metrics,
)
from genline.evaluation.text.ngram_table import pack, take
from genline.evaluation.text.perplexity import token_counts
from genline.evaluation.text.sample_metrics import Read, SampleJudge
from genline.evaluation.text.temperature_curve import against_curve
from genline.models.base import GenerativeModel, TextDecoder, TractableModel, VariationalModel
from genline.models.evaluators.language_model import LanguageModel

CONTROL = "control"
AGAINST_CONTROL = (
    f"95 %, Student's t, jackknife over {GROUPS} groups of the samples of either and of the test "
    "texts they share"
)

Floats = npt.NDArray[np.float64]

_SAMPLED = 1000  # texts drawn together


def evaluate(
    model: GenerativeModel,
    evaluator: LanguageModel,
    data: PreparedTexts,
    params: EvaluateTexts,
    seed: int,
    device: torch.device,
    free_bits: float = 0.0,
) -> Findings:
    """Judge ``model`` on the test split of ``data``; both networks are on ``device``.

    The metrics of the default sampler have plain names; those of another end in its name. A model
    with a control, trained as long without its objective, is also compared with it: by the
    difference of their distances, and by the control's own curve over temperatures.
    ``free_bits``: nats a text of KL that cost nothing in training.
    """
    judge = SampleJudge(evaluator, data, params.samples, params.ngram_order, seed)
    metrics: dict[str, Metric] = {}
    read: dict[str, Read] = {}
    nats: dict[str, Floats] = {}
    for variant in model.variants:
        read[variant] = judge.read(draw(model, judge.count, seed, variant))
        found = judge.metrics(read[variant], variant)
        if isinstance(model, TractableModel):
            own = own_nats(model, data, variant, device)
            found |= own_perplexities(own, data, variant, seed)
            nats["nll" if variant == model.variants[0] else f"nll_{variant}"] = own
        metrics |= of_sampler(found, variant, model.variants)
    if isinstance(model, VariationalModel):
        found, nats = variational_text_metrics(model, data, params.importance_samples, seed, device)
        metrics = found | metrics
    metrics |= baseline_metrics(judge.test_nats, data, params.ngram_order, seed)
    metrics["unseen_frechet_embedding_distance"] = judge.floors.unseen
    items = Items("tokens", token_counts(judge.test), nats)
    checks = _health(metrics, params.health, free_bits)
    if CONTROL not in model.variants:
        return Findings(metrics, checks, items=items)
    metrics["frechet_embedding_distance_vs_control"] = versus_control(metrics)
    rows = []
    for temperature in params.temperatures:
        # At 1 these are the samples already judged.
        row = read[CONTROL]
        if temperature != 1.0:
            row = judge.read(draw(model, judge.count, seed, CONTROL, temperature))
        rows.append(row)
    beyond = against_curve(read[model.variants[0]], rows, judge.count)
    if beyond is not None:
        metrics["reverse_perplexity_vs_control"] = beyond
    sweep = [judge.sweep_row(*row) for row in zip(rows, params.temperatures, strict=True)]
    return Findings(metrics, checks, sweep, items)


def versus_control(metrics: dict[str, Metric]) -> Metric:
    """The model's Fréchet embedding distance less its control's, from the same test texts."""
    mine, other = (metrics[f"frechet_embedding_distance{end}"] for end in ("", f"_{CONTROL}"))
    error, _ = difference_error(mine.to_json(), other.to_json())
    value = mine.value - other.value
    told = Description(
        f"{mine.title}, difference",
        mine.better,
        "Model less control, both trained for as long: below zero the adversarial phase has "
        "helped, above zero it has harmed, and an interval that holds zero decides neither.",
        mine.unit,
    )
    return told.metric(value, error.around(value), mine.count, AGAINST_CONTROL)


def draw(
    model: GenerativeModel, count: int, seed: int, variant: str, temperature: float = 1.0
) -> TextSplit:
    """``count`` samples of ``variant``, without marks; the same for the same arguments."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "samples", variant))
    texts = []
    with torch.no_grad():
        for done in range(0, count, _SAMPLED):
            size = min(_SAMPLED, count - done)
            rows = model.sample(size, generator, variant, temperature)
            texts += strip_marks(rows.cpu().numpy())
    return pack(texts)


@torch.no_grad()
def reconstruct(model: VariationalModel, texts: TextSplit, device: torch.device) -> TextSplit:
    """Each of ``texts`` from the mean of its posterior, the likeliest token at every step.

    Raises ModelError for a model that cannot decode a given z.
    """
    if not isinstance(model, TextDecoder):
        raise ModelError(f"{type(model).__name__} has no decode(z) to reconstruct texts with")
    x = torch.tensor(texts.batch(np.arange(len(texts))), device=device)
    mean, _ = model.posterior(x)
    return pack(strip_marks(model.decode(mean, torch.Generator(), 0.0).cpu().numpy()))


def shown(
    model: GenerativeModel, data: PreparedTexts, count: int, seed: int, device: torch.device
) -> dict[str, list[str]]:
    """The lists a reader looks at, by name: ``samples``, those of other samplers as
    ``samples_<variant>``, ``real`` texts and, of a VAE, ``reconstructions``: original and
    reconstruction with a tab between."""
    tokenizer = TextTokenizer.load(data.tokenizer_file)
    test = data.split("test")
    some = numpy_generator(seed, "shown").permutation(len(test))[:count]
    real = take(test, some)

    def lines(texts: TextSplit) -> list[str]:
        return [tokenizer.decode(texts[index]) for index in range(len(texts))]

    lists = {"real": lines(real)}
    for variant in model.variants:
        name = "samples" if variant == model.variants[0] else f"samples_{variant}"
        lists[name] = lines(draw(model, count, seed, variant))
    if isinstance(model, VariationalModel):
        again = lines(reconstruct(model, real, device))
        pairs = zip(lists["real"], again, strict=True)
        lists["reconstructions"] = [f"{text}\t{decoded}" for text, decoded in pairs]
    return lists


def _health(metrics: dict[str, Metric], limits: TextHealth, free_bits: float) -> dict[str, Check]:
    """Of the default sampler; the others stand beside it for comparison."""
    distance = metrics["frechet_embedding_distance"]
    return health.common(metrics, distance, limits, free_bits) | {
        "memorisation": health.copying(metrics["copied"], limits.copied),
        "low_variety": low_variety(metrics["distinct_2"], limits.distinct),
        "repetition": health.repetition(metrics["unique"], limits.unique),
    }
