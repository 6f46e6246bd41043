"""Samples beside real texts: every metric that needs only the texts, with its floor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genline.core.seeds import numpy_generator
from genline.data.prepared import PreparedTexts, TextSplit
from genline.evaluation.frechet import gaussian
from genline.evaluation.intervals import bootstrap_mean
from genline.evaluation.record import Metric
from genline.evaluation.text import bleu, ngrams
from genline.evaluation.text.descriptions import BLEU_ORDERS, DESCRIPTIONS, NGRAM_ORDERS
from genline.evaluation.text.embedding_distance import (
    GROUPS,
    STUDENT,
    embedding_distance,
    jackknife_error,
)
from genline.evaluation.text.ngram_lm import KneserNey
from genline.evaluation.text.ngram_table import take
from genline.evaluation.text.perplexity import perplexity, perplexity_interval, token_counts
from genline.models.evaluators.language_model import LanguageModel

OVER_SAMPLES = "95 %, bootstrap over samples; the real texts stay"
OVER_TEXTS = "95 %, bootstrap over test texts; the samples stay"
OVER_HYPOTHESES = "95 %, bootstrap over hypotheses; the samples they are held against stay"
BY_JACKKNIFE = "95 %, ± 1.96 standard errors, jackknife over samples; the real texts stay"
BY_GROUPS = f"95 %, Student's t, jackknife over {GROUPS} groups of samples; the real texts stay"

_Z = 1.959964  # 97.5 % of a standard normal distribution lies below it

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A value, its 95 % interval, and how that was made."""

    value: float
    low: float
    high: float
    interval: str


class SampleJudge:
    """The real texts that samples are compared with, and the floors, measured once.

    ``count`` training texts are judged in the place of as many samples: their figures are the
    floors. Where the split has fewer, ``count`` is what it has.
    """

    def __init__(
        self, evaluator: LanguageModel, data: PreparedTexts, count: int, order: int, seed: int
    ) -> None:
        self.evaluator, self.order, self.seed = evaluator, order, seed
        self.data, self.vocabulary = data, data.spec.vocabulary
        self.train, self.test = data.split("train"), data.split("test")
        self.count = min(count, len(self.train))
        self._moments = gaussian(evaluator.embed(self.test))

    def metrics(self, texts: TextSplit, name: str) -> dict[str, Metric]:
        """Every metric of ``texts``, two samples or more; ``name`` is the sampler's."""
        return {
            key: _metric(key, figure, len(texts), self.floors[key])
            for key, figure in self._figures(texts, name).items()
        }

    @cached_property
    def floors(self) -> dict[str, float]:
        """The figures of real texts.

        The evaluator has seen the training texts, and a copy is one of them: the forward
        perplexity and the copied share of real texts are those of the test texts. Which training
        texts stand in depends on the data alone, so all experiments share their floors.
        """
        random = numpy_generator(0, "floors", self.data.digest)
        real = take(self.train, random.permutation(len(self.train))[: self.count])
        found = {key: figure.value for key, figure in self._figures(real, "floors").items()}
        found["forward_perplexity"] = perplexity(self.test_nats, token_counts(self.test))
        found["copied"] = float(ngrams.copied(self.test, self.train).mean())
        return found

    @cached_property
    def test_nats(self) -> Floats:
        """−ln p of each test text under the evaluator, (texts,)."""
        return self.evaluator.nats(self.test)

    def sweep_row(self, texts: TextSplit, temperature: float) -> dict[str, float]:
        """Quality against variety of samples drawn at one temperature, without intervals."""
        features = self.evaluator.embed(texts)
        nats = self.evaluator.nats(texts)
        return {
            "temperature": temperature,
            "forward_perplexity": perplexity(nats, token_counts(texts)),
            "reverse_perplexity": perplexity(self._reverse(texts), token_counts(self.test)),
            "frechet_embedding_distance": embedding_distance(features, self._moments),
        }

    def _figures(self, texts: TextSplit, name: str) -> dict[str, Figure]:
        random = numpy_generator(self.seed, "bootstrap", name)
        found = {"frechet_embedding_distance": self._distance(texts)}
        nats = self.evaluator.nats(texts)
        found["forward_perplexity"] = _perplexity(nats, texts, OVER_SAMPLES, random)
        nats = self._reverse(texts)
        found["reverse_perplexity"] = _perplexity(nats, self.test, OVER_TEXTS, random)
        for n, scores in bleu.bleu(texts, self.test, BLEU_ORDERS).items():
            found[f"bleu_{n}"] = _mean(scores, random)
        for n, scores in bleu.self_bleu(texts, BLEU_ORDERS).items():
            found[f"self_bleu_{n}"] = _mean(scores, random, OVER_HYPOTHESES)
        for n in NGRAM_ORDERS:
            found[f"ngram_divergence_{n}"] = _share(ngrams.jensen_shannon(texts, self.test, n))
            found[f"distinct_{n}"] = _share(ngrams.distinct(texts, n))
        found["unique"] = _share(ngrams.unique(texts))
        found["copied"] = _mean(ngrams.copied(texts, self.train), random)
        return found

    def _distance(self, texts: TextSplit) -> Figure:
        features = self.evaluator.embed(texts)
        value = embedding_distance(features, self._moments)
        half = STUDENT * jackknife_error(features, self._moments)
        return Figure(value, max(0.0, value - half), value + half, BY_GROUPS)

    def _reverse(self, texts: TextSplit) -> Floats:
        return KneserNey(texts, self.vocabulary, self.order).nll(self.test)


def difference(metrics: Mapping[str, Metric], mine: str, other: str, about: str) -> Metric:
    """``mine`` less ``other``: two distances from the same real texts.

    Their samples are independent given those texts, so the squares of the errors add up.
    """
    a, b = metrics[mine], metrics[other]
    value, half = a.value - b.value, math.hypot(a.high - a.value, b.high - b.value)
    title = f"{a.title}, difference"
    return Metric(
        title, value, value - half, value + half, a.count, None, a.unit, a.better, BY_GROUPS, about
    )


def _metric(key: str, figure: Figure, count: int, floor: float) -> Metric:
    words = DESCRIPTIONS[key]
    return Metric(
        words.title,
        figure.value,
        figure.low,
        figure.high,
        count,
        floor,
        words.unit,
        words.better,
        figure.interval,
        words.about,
    )


def _perplexity(
    nats: Floats, texts: TextSplit, interval: str, random: np.random.Generator
) -> Figure:
    tokens = token_counts(texts)
    low, high = perplexity_interval(nats, tokens, random)
    return Figure(perplexity(nats, tokens), low, high, interval)


def _mean(values: Floats, random: np.random.Generator, interval: str = OVER_SAMPLES) -> Figure:
    low, high = bootstrap_mean(values, random)
    return Figure(float(values.mean()), low, high, interval)


def _share(estimate: ngrams.Estimate) -> Figure:
    value, error = estimate
    low, high = value - _Z * error, value + _Z * error
    return Figure(value, max(0.0, low), min(1.0, high), BY_JACKKNIFE)
