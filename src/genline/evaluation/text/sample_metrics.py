"""Samples beside real texts: every metric that needs only the texts, with its floor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genline.core.arrays import Floats
from genline.core.seeds import numpy_generator
from genline.data.prepared import PreparedTexts, TextSplit
from genline.evaluation.frechet_jackknife import GROUPS, RealItems, jackknifed_distance
from genline.evaluation.intervals import (
    Spread,
    bootstrap_mean,
    combined,
    jackknifed,
    leave_out,
    student,
)
from genline.evaluation.record import Metric
from genline.evaluation.text import bleu, ngrams
from genline.evaluation.text.descriptions import BLEU_ORDERS, DESCRIPTIONS, NGRAM_ORDERS
from genline.evaluation.text.floors import Floors
from genline.evaluation.text.ngram_lm import KneserNey
from genline.evaluation.text.ngram_table import take
from genline.evaluation.text.perplexity import perplexity, perplexity_interval, token_counts
from genline.evaluation.text.temperature_curve import Reading
from genline.models.evaluators.language_model import LanguageModel

REFITS = 10  # groups of samples that an n-gram model is fitted again without

OVER_SAMPLES = "95 %, bootstrap over samples; the real texts stay"
OVER_HYPOTHESES = "95 %, bootstrap over hypotheses; the samples they are held against stay"
BY_JACKKNIFE = "95 %, Student's t, jackknife over samples; the real texts stay"
BY_GROUPS = f"95 %, Student's t, jackknife over {GROUPS} groups of samples and of test texts"
BY_REFITS = (
    f"95 %, Student's t, jackknife over {REFITS} groups of samples and {GROUPS} of test texts"
)


@dataclass(frozen=True, eq=False)
class Read:
    """A set of samples as ``judge`` reads it.

    ``features``: float64 (texts, d) of the evaluator; ``nats``: −ln p of each under it, (texts,);
    ``reverse``: −ln p of each *test* text under an n-gram model of the samples, (test texts,).
    """

    judge: SampleJudge
    texts: TextSplit
    features: Floats
    nats: Floats
    reverse: Floats

    @property
    def forward_perplexity(self) -> float:
        return perplexity(self.nats, token_counts(self.texts))

    @property
    def reverse_perplexity(self) -> float:
        return self.judge.reverse_perplexity(self.reverse)

    @cached_property
    def reading(self) -> Reading:
        """Both perplexities with groups of samples and of test texts left out."""
        judge, tokens = self.judge, token_counts(self.texts)
        kept = list(leave_out(len(self.texts), REFITS))
        refitted = [judge.reverse(take(self.texts, k)) for k in kept]
        tests = leave_out(len(judge.test), GROUPS)
        return Reading(
            forward=self.forward_perplexity,
            reverse=self.reverse_perplexity,
            forward_left=np.array([perplexity(self.nats[k], tokens[k]) for k in kept]),
            reverse_left=np.array([judge.reverse_perplexity(nats) for nats in refitted]),
            reverse_left_texts=np.array(
                [perplexity(self.reverse[k], judge.tokens[k]) for k in tests]
            ),
        )


@dataclass(frozen=True)
class Figure:
    """A value, how far it may be off, how that was found, and the value with each group of test
    texts left out where it was jackknifed over them."""

    value: float
    spread: Spread
    interval: str
    left_out: tuple[float, ...] = ()


class SampleJudge:
    """The real texts that samples are compared with, and the floors, measured once.

    ``count`` training texts at a time are judged in the place of as many samples: the means of
    their figures are the floors. Where the split has fewer, ``count`` is what it has.
    ``test_nats``: −ln p of each test text under the evaluator, (texts,); ``tokens``: how many
    each has, its end mark counted.
    """

    def __init__(
        self, evaluator: LanguageModel, data: PreparedTexts, count: int, order: int, seed: int
    ) -> None:
        self.evaluator, self.order, self.seed = evaluator, order, seed
        self.data, self.vocabulary = data, data.spec.vocabulary
        self.train, self.test = data.split("train"), data.split("test")
        self.count = min(count, len(self.train))
        features, self.test_nats = evaluator.read(self.test)
        self.real = RealItems(features)
        self.tokens = token_counts(self.test)

    @cached_property
    def floors(self) -> Floors:
        """The figures of real texts, the same for every model of the data."""
        return Floors(self)

    def read(self, texts: TextSplit) -> Read:
        """What every metric of ``texts``, two samples or more, is computed from."""
        features, nats = self.evaluator.read(texts)
        return Read(self, texts, features, nats, self.reverse(texts))

    def metrics(self, read: Read, name: str) -> dict[str, Metric]:
        """Every metric of a set of samples; ``name`` is the sampler's."""
        return {
            key: DESCRIPTIONS[key].metric(
                figure.value,
                figure.spread,
                len(read.texts),
                figure.interval,
                self.floors.of[key],
                figure.left_out,
            )
            for key, figure in self._figures(read, name).items()
        }

    def sweep_row(self, read: Read, temperature: float) -> dict[str, float]:
        """Quality against variety of samples drawn at one temperature, without intervals."""
        return {
            "temperature": temperature,
            "forward_perplexity": read.forward_perplexity,
            "reverse_perplexity": read.reverse_perplexity,
            "frechet_embedding_distance": self.real.distance(read.features),
        }

    def reverse(self, texts: TextSplit) -> Floats:
        """−ln p of each test text under an n-gram model of ``texts``, (test texts,)."""
        return KneserNey(texts, self.vocabulary, self.order).nll(self.test)

    def scores(self, texts: TextSplit) -> dict[str, Floats]:
        """The metrics that are means over samples: the score of each of ``texts``, (texts,)."""
        found = {
            f"bleu_{n}": scores for n, scores in bleu.bleu(texts, self.test, BLEU_ORDERS).items()
        }
        for n, scores in bleu.self_bleu(texts, BLEU_ORDERS).items():
            found[f"self_bleu_{n}"] = scores
        return found

    def counts(self, texts: TextSplit) -> dict[str, ngrams.Estimate]:
        """The metrics that count n-grams or texts, with their standard errors over samples."""
        found = {"unique": ngrams.unique(texts)}
        for n in NGRAM_ORDERS:
            found[f"ngram_divergence_{n}"] = ngrams.jensen_shannon(texts, self.test, n)
            found[f"distinct_{n}"] = ngrams.distinct(texts, n)
        return found

    def _figures(self, read: Read, name: str) -> dict[str, Figure]:
        random = numpy_generator(self.seed, "bootstrap", name)
        found = {"frechet_embedding_distance": self._distance(read.features)}
        spread = perplexity_interval(read.nats, token_counts(read.texts), random)
        found["forward_perplexity"] = Figure(read.forward_perplexity, spread, OVER_SAMPLES)
        found["reverse_perplexity"] = self._reverse_figure(read)
        for key, scores in self.scores(read.texts).items():
            how = OVER_HYPOTHESES if key.startswith("self") else OVER_SAMPLES
            found[key] = Figure(float(scores.mean()), bootstrap_mean(scores, random), how)
        for key, (value, error) in self.counts(read.texts).items():
            spread = student(value, error, len(read.texts) - 1).within(0.0, 1.0)
            found[key] = Figure(value, spread, BY_JACKKNIFE)
        copies = ngrams.copied(read.texts, self.train)
        spread = bootstrap_mean(copies, random)
        found["copied"] = Figure(float(copies.mean()), spread, OVER_SAMPLES)
        return found

    def _distance(self, features: Floats) -> Figure:
        found = jackknifed_distance(features, self.real)
        spread = found.error.around(found.value).within(0.0)
        return Figure(found.value, spread, BY_GROUPS, found.left_out)

    def _reverse_figure(self, read: Read) -> Figure:
        found = read.reading
        left_out = tuple(found.reverse_left_texts.tolist())
        error = combined(jackknifed(found.reverse_left), jackknifed(left_out))
        return Figure(found.reverse, error.around(found.reverse), BY_REFITS, left_out)

    def reverse_perplexity(self, nats: Floats) -> float:
        """The perplexity of nats of the test texts, (test texts,)."""
        return perplexity(nats, self.tokens)
