"""Perplexity: what it counts, and the models whose value is known."""

import math

import numpy as np
import pytest
import torch

from genline.core.seeds import numpy_generator
from genline.data.prepared import PAD
from genline.evaluation.text.likelihood_metrics import (
    own_nats,
    own_perplexities,
    variational_text_metrics,
)
from genline.evaluation.text.perplexity import perplexity, perplexity_interval, token_counts

CPU = torch.device("cpu")


def test_perplexity_of_a_uniform_model_is_the_vocabulary_size(random_words, texts):
    nats = own_nats(random_words, texts, "generator", CPU)
    metric = own_perplexities(nats, texts, "generator", 0)["perplexity"]
    assert metric.value == pytest.approx(texts.spec.vocabulary)
    assert metric.low == pytest.approx(metric.high)


def test_end_marks_count_and_begin_marks_do_not(texts):
    test = texts.split("test")
    assert token_counts(test).sum() == len(test.tokens) + len(test)


def test_perplexity_weighs_tokens_not_texts():
    # 1 nat over 1 token and 9 nats over 3: e^(10/4), not the mean of e and e³.
    assert perplexity(np.array([1.0, 9.0]), np.array([1, 3])) == pytest.approx(math.exp(2.5))


def test_a_vae_whose_decoder_ignores_z_has_the_perplexity_of_the_language_model(
    deaf_vae, evaluator, texts
):
    metrics, nats = variational_text_metrics(deaf_vae, texts, 5, 0, CPU)
    test = texts.split("test")
    wanted = perplexity(evaluator.nats(test), token_counts(test))
    assert metrics["perplexity"].value == pytest.approx(wanted, rel=1e-6)
    assert metrics["perplexity_bound"].value == pytest.approx(wanted, rel=1e-6)
    assert nats["nll"] == pytest.approx(evaluator.nats(test), rel=1e-5)  # in the split's order
    assert metrics["kl"].value == metrics["decoder_use"].value == 0
    assert metrics["mutual_information"].value == pytest.approx(0, abs=1e-9)


def test_padding_never_counts(evaluator, texts):
    test = texts.split("test")
    lengths = test.lengths
    short, long = int(lengths.argmin()), int(lengths.argmax())
    together = torch.tensor(test.batch(np.array([short, long])))
    assert (together[0] == PAD).any()
    alone = torch.tensor(test.batch(np.array([short])))
    assert evaluator.nll(together)[0].item() == pytest.approx(evaluator.nll(alone)[0].item())
    torch.testing.assert_close(evaluator.features(together)[0], evaluator.features(alone)[0])


def test_the_interval_is_that_of_normal_theory_for_many_texts_of_one_length():
    nats = np.random.default_rng(1).normal(10, 2, 2000)
    found = perplexity_interval(nats, np.full(2000, 5), numpy_generator(0))
    half = 1.96 * nats.std() / math.sqrt(2000) / 5
    centre = math.log(perplexity(nats, np.full(2000, 5)))
    assert math.log(found.low) == pytest.approx(centre - half, abs=half / 5)
    assert math.log(found.high) == pytest.approx(centre + half, abs=half / 5)
