"""The language model that judges texts, and its training."""

import math
import shutil

import numpy as np
import pytest
import torch

from genline.data.prepared import load_texts
from genline.evaluation.text.ngram_table import pack
from genline.models.evaluators.config import TextEvaluator
from genline.models.evaluators.language_model import over_texts
from genline.models.evaluators.store import load_evaluator, save_evaluator
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.devices import Runtime, make_fabric
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.evaluators.language_model import assess, build

PARAMS = TextEvaluator(
    embedding=16, hidden=16, steps=120, batch=32, learning_rate=0.02, dropout=0.1
)


@pytest.fixture(scope="module")
def context():
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Context(make_fabric(Runtime(device="cpu", threads=1, precision="32-true")), seed=3)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def trained(context, texts, tmp_path_factory):
    """Fitted on a folder without a test split, and stored."""
    folder = tmp_path_factory.mktemp("no_test")
    for file in texts.folder.iterdir():
        if not file.name.startswith("test"):
            shutil.copy(file, folder)
    checkpoints = Checkpoints(folder / "checkpoints", "lm", "0" * 64)
    weights = train("lm", build(context, load_texts(folder), PARAMS), checkpoints).weights
    save_evaluator(folder / "evaluator", PARAMS, texts.spec, weights)
    return load_evaluator(folder / "evaluator").evaluator


def test_fitting_never_reads_the_test_split_and_learns_the_word_frequencies(trained, texts):
    counts = np.bincount(np.asarray(texts.split("train").tokens), minlength=texts.spec.vocabulary)
    counts[2] = len(texts.split("train"))  # EOS
    shares = counts[counts > 0] / counts.sum()
    entropy = -(shares * np.log(shares)).sum()
    # The words are independent, so nothing beats their entropy but the end mark's position.
    found = assess(trained, texts)
    assert math.log(found["valid_perplexity"]) < entropy + 0.1
    assert math.log(found["test_perplexity"]) < entropy + 0.1


def test_a_fresh_model_starts_at_the_word_frequencies(context, texts):
    bias = build(context, texts, PARAMS).modules["language_model"].bias
    train_split = texts.split("train")
    wanted = (np.asarray(train_split.tokens) == 4).sum() + 0.1
    total = len(train_split.tokens) + len(train_split) + 0.1 * texts.spec.vocabulary
    assert torch.softmax(bias, 0)[4].item() == pytest.approx(wanted / total, rel=1e-4)


def test_next_token_probabilities_sum_to_one(trained, texts):
    vocabulary = texts.spec.vocabulary
    every = torch.tensor([[1, 5, token, 2] for token in range(1, vocabulary)])
    logits = trained.logits(trained.states(every)[:, 1])
    found = torch.log_softmax(logits, 1)[torch.arange(len(every)), every[:, 2]]
    # PAD cannot be a target; all others and it make one.
    pad = torch.softmax(logits[0], 0)[0]
    assert (found.exp().sum() + pad).item() == pytest.approx(1, abs=1e-5)


def test_nll_is_the_sum_of_next_token_log_probabilities(trained):
    x = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    logs = torch.log_softmax(trained.logits(trained.states(x)), -1)
    wanted = [
        -(logs[0, 0, 5] + logs[0, 1, 6] + logs[0, 2, 2]).item(),
        -(logs[1, 0, 7] + logs[1, 1, 2]).item(),
    ]
    assert trained.nll(x).tolist() == pytest.approx(wanted, rel=1e-5)


def test_features_are_the_mean_state_after_each_word(trained):
    x = torch.tensor([[1, 5, 6, 2]])
    states = trained.states(x)[0]
    torch.testing.assert_close(trained.features(x)[0], states[1:3].mean(0))


def test_a_text_without_words_has_the_zero_vector(trained):
    assert not trained.features(torch.tensor([[1, 2]])).any()
    assert not trained.features(torch.tensor([[1, 2, 0, 0]])).any()


def test_figures_come_back_in_the_order_of_the_texts():
    split = pack([np.full(n, 4) for n in (5, 1, 3, 2, 4)])
    found = over_texts(lambda x: (x == 4).sum(1), split, torch.device("cpu"), batch=2)
    assert found[:, 0].tolist() == [5, 1, 3, 2, 4]
