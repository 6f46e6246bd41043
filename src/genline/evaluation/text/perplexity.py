"""Perplexity: exp(Σ nats / Σ tokens), end marks counted, begin marks and padding not.

Every line of it, a neural language model's, an n-gram model's, a VAE's bound or its
importance-weighted estimate, is this function of the nats of each text.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from genline.data.prepared import UNK, PreparedTexts, TextSplit
from genline.data.tokenizer import TextTokenizer
from genline.data.words import count_words_and_marks
from genline.evaluation.intervals import Spread, bootstrap_statistic

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def token_counts(texts: TextSplit) -> Ids:
    """Tokens that a perplexity counts, int64 (texts,): each text's own and its end mark."""
    return texts.lengths + 1


def word_counts(data: PreparedTexts) -> Ids | None:
    """What a perplexity per word counts in each test text: its words and marks, and its end mark.

    int64 (texts,). None where tokens are words themselves, or where a text has an unknown token:
    its nats are then those of another text.
    """
    tokenizer, test = TextTokenizer.load(data.tokenizer_file), data.split("test")
    if not tokenizer.subword or UNK in test.tokens:
        return None
    words = [count_words_and_marks(tokenizer.decode(test[i])) for i in range(len(test))]
    return np.array(words, np.int64) + 1


def perplexity(nats: Floats, tokens: Ids) -> float:
    """exp(Σ nats / Σ tokens); nats: −ln p of each text, float64 (n,); tokens: int64 (n,)."""
    return math.exp(float(nats.sum()) / float(tokens.sum()))


def perplexity_interval(nats: Floats, tokens: Ids, random: np.random.Generator) -> Spread:
    """The bootstrap over texts; a resample counts its own tokens."""
    return bootstrap_statistic(
        lambda chosen: perplexity(nats[chosen], tokens[chosen]), len(nats), random
    )
