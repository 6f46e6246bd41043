"""Perplexities on the test split: a model's own, and those of simpler models beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genline.core.arrays import Floats
from genline.core.seeds import derive_seed, numpy_generator
from genline.data.prepared import PreparedTexts
from genline.evaluation.record import Description, Metric
from genline.evaluation.text.ngram_lm import KneserNey
from genline.evaluation.text.perplexity import perplexity, perplexity_interval, token_counts
from genline.evaluation.variational_metrics import OVER_ITEMS, measure, variational_metrics
from genline.models.base import TractableModel, VariationalModel
from genline.models.evaluators.language_model import over_texts

_ENCODED = 128  # texts encoded together
_DECODED = 4096  # pairs of a text and a z decoded together


@dataclass(frozen=True)
class TestTexts:
    """The test split as a metric counts it; ``seed`` is that of the bootstrap."""

    data: PreparedTexts
    seed: int

    def perplexity(self, nats: Floats, name: str, title: str, about: str) -> Metric:
        """The metric of ``nats``, −ln p of each test text in the order of the split."""
        tokens = token_counts(self.data.split("test"))
        spread = perplexity_interval(nats, tokens, numpy_generator(self.seed, name))
        told = Description(title, "lower", about)
        return told.metric(perplexity(nats, tokens), spread, len(nats), OVER_ITEMS)


def baseline_metrics(
    evaluator: Floats, data: PreparedTexts, order: int, seed: int
) -> dict[str, Metric]:
    """The lines every text model is read against: fitted on the same training split.

    ``evaluator``: −ln p of each test text under the evaluator's language model, (texts,).
    """
    texts, test = TestTexts(data, seed), data.split("test")
    ngram = KneserNey(data.split("train"), data.spec.vocabulary, order)
    return {
        "lm_perplexity": texts.perplexity(
            evaluator,
            "lm_perplexity",
            "Perplexity of the evaluator's language model",
            "An LSTM fitted on the training split by maximum likelihood: the line to compare "
            "with, not a figure of this model.",
        ),
        "ngram_perplexity": texts.perplexity(
            ngram.nll(test),
            "ngram_perplexity",
            f"Perplexity of a {order}-gram model",
            f"Interpolated Kneser–Ney of order {order} on the training split: a line that takes a "
            "second to reach, not a figure of this model.",
        ),
    }


def variational_text_metrics(
    model: VariationalModel, data: PreparedTexts, draws: int, seed: int, device: torch.device
) -> tuple[dict[str, Metric], dict[str, Floats]]:
    """A VAE's perplexities by the bound and by importance weighting, and its latents' figures.

    Also the nats of each test text, (texts,), by what they are of: ``nll`` and ``elbo``.
    """
    test = data.split("test")
    order = np.argsort(test.lengths, kind="stable")
    parts = [order[start : start + _ENCODED] for start in range(0, len(order), _ENCODED)]
    batches = [torch.tensor(test.batch(part), device=device) for part in parts]
    figures = measure(model, batches, draws, _DECODED, derive_seed(seed, "variational"))
    texts = TestTexts(data, seed)
    nats = {name: _in_order(values, order) for name, values in figures.nats.items()}
    metrics = {
        "perplexity": texts.perplexity(
            nats["nll"],
            "perplexity",
            "Perplexity, importance-weighted",
            f"An upper bound from {draws} draws of z a text, tighter than that of the ELBO; the "
            "end mark counts as a token, padding and the begin mark do not.",
        ),
        "perplexity_bound": texts.perplexity(
            nats["elbo"],
            "perplexity_bound",
            "Perplexity, ELBO bound",
            "From reconstruction and KL at β = 1, whatever β the training used: the looser bound.",
        ),
    }
    return metrics | variational_metrics(figures, "text", seed), nats


def own_nats(
    model: TractableModel, data: PreparedTexts, variant: str, device: torch.device
) -> Floats:
    """−ln p of each test text under ``variant``, (texts,)."""

    def nats(x: Tensor) -> Tensor:
        return -model.log_probability(x, variant)

    return over_texts(nats, data.split("test"), device)[:, 0]


def own_perplexity(nats: Floats, data: PreparedTexts, variant: str, seed: int) -> Metric:
    """The perplexity of a model whose −ln p of each test text is ``nats``, (texts,)."""
    return TestTexts(data, seed).perplexity(
        nats,
        f"perplexity_{variant}",
        "Perplexity",
        "Of the model's own next-token probabilities on test texts: an adversarial phase is not "
        "trained for it, and usually pays here for what it gains elsewhere.",
    )


def _in_order(values: Floats, order: npt.NDArray[np.int64]) -> Floats:
    placed = np.empty_like(values)
    placed[order] = values
    return placed
