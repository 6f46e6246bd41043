"""Perplexities on the test split: a model's own, and those of simpler models beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genline.core.seeds import derive_seed, numpy_generator
from genline.data.prepared import PreparedTexts
from genline.evaluation.record import Description, Metric
from genline.evaluation.text.ngram_lm import KneserNey
from genline.evaluation.text.perplexity import (
    perplexity,
    perplexity_interval,
    token_counts,
    word_counts,
)
from genline.evaluation.variational_metrics import OVER_ITEMS, measure, variational_metrics
from genline.models.base import TractableModel, VariationalModel
from genline.models.evaluators.language_model import over_texts

PER_WORD = (
    "Here as e to the nats a word: words, numbers and marks, each character of scripts without "
    "spaces, and the end mark count, whatever the tokens are, so that tokenizers can be compared; "
    "it is an upper bound, as a text has other cuts into tokens too."
)

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

_ENCODED = 128  # texts encoded together
_DECODED = 4096  # pairs of a text and a z decoded together


@dataclass(frozen=True)
class TestTexts:
    """The test split as a metric counts it; ``seed`` is that of the bootstrap."""

    data: PreparedTexts
    seed: int

    def perplexities(
        self, nats: Floats, name: str, title: str, about: str, stream: str = ""
    ) -> dict[str, Metric]:
        """The metric ``name`` of ``nats``, −ln p of each test text in the order of the split.

        Where tokens are parts of words, also ``<name>_per_word``. ``stream`` names the bootstrap's
        random numbers where ``name`` does not.
        """
        tokens = token_counts(self.data.split("test"))
        found = {name: self._over(nats, tokens, stream or name, title, about)}
        words = word_counts(self.data)
        if words is not None:
            found[f"{name}_per_word"] = self._over(
                nats, words, stream or name, f"{title}, per word", f"{about} {PER_WORD}"
            )
        return found

    def _over(self, nats: Floats, counts: Ids, stream: str, title: str, about: str) -> Metric:
        spread = perplexity_interval(nats, counts, numpy_generator(self.seed, stream))
        told = Description(title, "lower", about)
        return told.metric(perplexity(nats, counts), spread, len(nats), OVER_ITEMS)


def baseline_metrics(
    evaluator: Floats, data: PreparedTexts, order: int, seed: int
) -> dict[str, Metric]:
    """The lines every text model is read against: fitted on the same training split.

    ``evaluator``: −ln p of each test text under the evaluator's language model, (texts,).
    """
    texts, test = TestTexts(data, seed), data.split("test")
    ngram = KneserNey(data.split("train"), data.spec.vocabulary, order)
    return {
        **texts.perplexities(
            evaluator,
            "lm_perplexity",
            "Perplexity of the evaluator's language model",
            "An LSTM fitted on the training split by maximum likelihood: the line to compare "
            "with, not a figure of this model.",
        ),
        **texts.perplexities(
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
        **texts.perplexities(
            nats["nll"],
            "perplexity",
            "Perplexity, importance-weighted",
            f"An upper bound from {draws} draws of z a text, tighter than that of the ELBO; the "
            "end mark counts as a token, padding and the begin mark do not.",
        ),
        **texts.perplexities(
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


def own_perplexities(
    nats: Floats, data: PreparedTexts, variant: str, seed: int
) -> dict[str, Metric]:
    """The perplexity of a model whose −ln p of each test text is ``nats``, (texts,)."""
    return TestTexts(data, seed).perplexities(
        nats,
        "perplexity",
        "Perplexity",
        "Of the model's own next-token probabilities on test texts: an adversarial phase is not "
        "trained for it, and usually pays here for what it gains elsewhere.",
        f"perplexity_{variant}",
    )


def _in_order(values: Floats, order: npt.NDArray[np.int64]) -> Floats:
    placed = np.empty_like(values)
    placed[order] = values
    return placed
