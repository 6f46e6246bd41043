"""Judging a model of texts: its samples, its likelihood where it has one, and its health."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from genline.core.errors import ModelError
from genline.core.seeds import derive_seed, numpy_generator
from genline.data.prepared import PreparedTexts, TextSplit, strip_marks
from genline.data.tokenizer import TextTokenizer
from genline.evaluation import health
from genline.evaluation.record import Check, Findings, Metric
from genline.evaluation.text.config import EvaluateTexts, TextHealth
from genline.evaluation.text.health import mode_drop
from genline.evaluation.text.likelihood_metrics import (
    baseline_metrics,
    own_perplexity,
    variational_text_metrics,
)
from genline.evaluation.text.ngram_table import pack, take
from genline.evaluation.text.sample_metrics import SampleJudge, difference
from genline.models.base import GenerativeModel, VariationalModel
from genline.models.evaluators.language_model import LanguageModel

CONTROL = "control"

_SAMPLED = 1000  # texts drawn together


def evaluate(
    model: GenerativeModel,
    evaluator: LanguageModel,
    data: PreparedTexts,
    params: EvaluateTexts,
    seed: int,
    device: torch.device,
) -> Findings:
    """Judge ``model`` on the test split of ``data``; both networks are on ``device``.

    The metrics of the default sampler have plain names; those of another end in its name. A model
    with a control, trained as long without its objective, is also compared with it: by the
    difference of their distances, and by the control's own curve over temperatures.
    """
    judge = SampleJudge(evaluator, data, params.samples, params.ngram_order, seed)
    metrics: dict[str, Metric] = {}
    drawn: dict[str, TextSplit] = {}
    for variant in model.variants:
        drawn[variant] = draw(model, judge.count, seed, variant)
        found = judge.metrics(drawn[variant], variant)
        if not isinstance(model, VariationalModel):
            own = own_perplexity(model, data, variant, seed, device)
            found |= {"perplexity": own} if own else {}
        metrics |= _named(found, model, variant)
    if isinstance(model, VariationalModel):
        metrics = (
            variational_text_metrics(model, data, params.importance_samples, seed, device) | metrics
        )
    metrics |= baseline_metrics(judge.test_nats, data, params.ngram_order, seed)
    checks = _health(metrics, params.health)
    if CONTROL not in model.variants:
        return Findings(metrics, checks)
    metrics["frechet_embedding_distance_vs_control"] = difference(
        metrics,
        "frechet_embedding_distance",
        f"frechet_embedding_distance_{CONTROL}",
        "Model less control, both trained for as long: below zero the adversarial phase has "
        "helped, above zero it has harmed, and an interval that holds zero decides neither.",
    )
    sweep = []
    for temperature in params.temperatures:
        # At 1 these are the samples already judged.
        texts = drawn[CONTROL]
        if temperature != 1.0:
            texts = draw(model, judge.count, seed, CONTROL, temperature)
        sweep.append(judge.sweep_row(texts, temperature))
    return Findings(metrics, checks, sweep)


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


@runtime_checkable
class _Decoder(Protocol):
    def decode(self, z: Tensor, generator: torch.Generator, temperature: float) -> Tensor:
        """int64 (batch, at most max_tokens + 1) of z (batch, latent)."""


@torch.no_grad()
def reconstruct(model: VariationalModel, texts: TextSplit, device: torch.device) -> TextSplit:
    """Each of ``texts`` from the mean of its posterior, the likeliest token at every step.

    Raises ModelError for a model that cannot decode a given z.
    """
    if not isinstance(model, _Decoder):
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


def _named(found: dict[str, Metric], model: GenerativeModel, variant: str) -> dict[str, Metric]:
    if variant == model.variants[0]:
        return found
    return {
        f"{name}_{variant}": replace(metric, title=f"{metric.title} ({variant})")
        for name, metric in found.items()
    }


def _health(metrics: dict[str, Metric], limits: TextHealth) -> dict[str, Check]:
    """Of the default sampler; the others stand beside it for comparison."""
    checks = {
        "divergence": health.divergence(
            metrics, metrics["frechet_embedding_distance"], limits.floors
        ),
        "memorisation": health.copying(metrics["copied"], limits.copied),
        "mode_drop": mode_drop(metrics["distinct_2"], limits.distinct),
        "repetition": health.repetition(metrics["unique"], limits.unique),
    }
    if "kl" in metrics:
        checks["posterior_collapse"] = health.posterior_collapse(metrics, limits)
    return checks
