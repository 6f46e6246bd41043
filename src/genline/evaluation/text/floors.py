"""The floors of text metrics: the same figures for real texts in the place of samples.

Sets of training texts, each of as many as there are samples, are judged like samples; the floor
is the mean over the sets, with the interval of one more set of unseen real texts: wider than the
spread of the sets where these overlap. Which texts these are depends on the data alone, so all
experiments share their floors.

The evaluator was fitted on the training texts, so that they might lie closer to the test texts in
its features than unseen ones do, and the floor of the Fréchet embedding distance be too low.
``unseen`` measures that with validation texts. The forward perplexity and the copied share of
training texts are no floors at all, and are those of the test texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from genline.core.arrays import Floats, Ids
from genline.core.seeds import numpy_generator
from genline.evaluation.frechet_jackknife import GROUPS, jackknifed_distance
from genline.evaluation.intervals import bootstrap_mean, prediction
from genline.evaluation.record import Description, Floor, Metric
from genline.evaluation.text import ngrams
from genline.evaluation.text.ngram_table import take
from genline.evaluation.text.perplexity import perplexity, perplexity_interval

if TYPE_CHECKING:
    from genline.evaluation.text.sample_metrics import SampleJudge

SETS = 4  # of training texts

UNSEEN = Description(
    "Fréchet embedding distance of unseen real texts",
    "none",
    "Validation texts, which the evaluator was not fitted on, against test texts; the floor is "
    "that of as many training texts: were it far lower, the other floors of this distance would "
    "be too low.",
)
BY_GROUPS = f"95 %, Student's t, jackknife over {GROUPS} groups of texts on either side"


class Floors:
    """The floor of every metric of samples, by its name, in ``of``."""

    def __init__(self, judge: SampleJudge) -> None:
        self._judge = judge
        random = numpy_generator(0, "floors", judge.data.digest)
        self._sets = draw_sets(len(judge.train), judge.count, SETS, random)
        # Sets that share no text are as good as fresh ones.
        overlap = len(self._sets) > 1 and len(self._sets) * judge.count > len(judge.train)
        self._shared = judge.count / len(judge.train) if overlap else 0.0

    @cached_property
    def of(self) -> dict[str, Floor]:
        judge, random = self._judge, numpy_generator(0, "floor intervals", self._judge.data.digest)
        found = [self._figures(*each) for each in zip(self._sets, self._features, strict=True)]
        floors = {
            key: _floor([figures[key] for figures in found], self._shared) for key in found[0]
        }
        spread = perplexity_interval(judge.test_nats, judge.tokens, random)
        value = perplexity(judge.test_nats, judge.tokens)
        floors["forward_perplexity"] = Floor(value, spread.low, spread.high)
        copies = ngrams.copied(judge.test, judge.train)
        spread = bootstrap_mean(copies, random)
        floors["copied"] = Floor(float(copies.mean()), spread.low, spread.high)
        return floors

    @cached_property
    def unseen(self) -> Metric:
        """The distance of the validation texts; the floor is that of sets of training texts."""
        judge = self._judge
        valid = judge.data.split("valid")
        random = numpy_generator(0, "unseen", judge.data.digest)
        some = random.permutation(len(valid))[: judge.count]
        features = judge.evaluator.embed(take(valid, some))
        found = jackknifed_distance(features, judge.real)
        spread = found.error.around(found.value).within(0.0)
        seen = [
            judge.real.distance(part)
            for each in self._features
            for part in np.array_split(each, max(1, len(each) // len(features)))
        ]
        # Parts of one set share no text, parts of two sets may: this is on the safe side.
        floor = _floor(seen, len(features) / len(judge.train) if self._shared else 0.0)
        return UNSEEN.metric(found.value, spread, len(features), BY_GROUPS, floor, found.left_out)

    @cached_property
    def _features(self) -> list[Floats]:
        judge = self._judge
        return [judge.evaluator.embed(take(judge.train, chosen)) for chosen in self._sets]

    def _figures(self, chosen: Ids, features: Floats) -> dict[str, float]:
        judge = self._judge
        texts = take(judge.train, chosen)
        nats = judge.reverse(texts)
        return {
            "frechet_embedding_distance": judge.real.distance(features),
            "reverse_perplexity": judge.reverse_perplexity(nats),
            **{key: float(scores.mean()) for key, scores in judge.scores(texts).items()},
            **{key: value for key, (value, _) in judge.counts(texts).items()},
        }


def draw_sets(texts: int, count: int, sets: int, random: np.random.Generator) -> list[Ids]:
    """``sets`` sets of ``count`` of ``texts`` different indices; they share none where there are
    enough, and there is one where ``count`` is all of them."""
    if count == texts:
        return [np.arange(texts)]
    if sets * count <= texts:
        order = random.permutation(texts)
        return list(order[: sets * count].reshape(sets, count))
    return [random.permutation(texts)[:count] for _ in range(sets)]


def _floor(values: Sequence[float], shared: float) -> Floor:
    if len(values) < 2:
        return Floor(values[0])
    spread = prediction(np.asarray(values, np.float64), shared)
    return Floor(float(np.mean(values)), spread.low, spread.high)
