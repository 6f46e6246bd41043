"""Training of the text VAE: remedies mean what they say, and a resumed run is the same run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from text_corpus import random_texts, write_corpus

from genline.data.prepared import BOS, EOS, PAD, UNK, PreparedTexts
from genline.models.text_vae.config import Model, Train
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.text_vae import TextVAERecipe, build

MODEL = Model(network="lstm", embedding=8, encoder=8, decoder=8, latent=4)
TRAIN = Train(
    steps=12,
    batch=8,
    learning_rate=0.01,
    weight_decay=0.01,
    beta=1.0,
    kl_warmup=0.5,
    free_bits=2.0,
    word_dropout=0.2,
    dropout=0.2,
    bag_of_words=0.5,
    clip=5.0,
    ema=0.9,
    validate_every=4,
    validate_texts=20,
    validate_draws=4,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # Networks this small are slower on two threads, and far slower on a busy machine.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def corpus(tmp_path: Path) -> PreparedTexts:
    return write_corpus(tmp_path / "corpus", random_texts(40, 15, 6), 15)


def recipe(corpus: PreparedTexts, precision: Any = "32-true", **changes: float) -> TextVAERecipe:
    context = Context(Fabric(accelerator="cpu", devices=1, precision=precision), 3)
    made = build(context, corpus, MODEL, TRAIN.model_copy(update=changes))
    assert isinstance(made, TextVAERecipe)
    return made


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_lowers_the_loss_and_every_figure_is_finite(
    corpus: PreparedTexts, tmp_path: Path, precision: str
) -> None:
    made = recipe(corpus, precision, steps=60)
    trained = train("test", made, Checkpoints(tmp_path, "vae", "d" * 64))
    rows = trained.history.rows
    assert rows[-1]["reconstruction"] < rows[0]["reconstruction"]
    assert {"loss", "reconstruction", "kl", "valid_loss", "valid_kl"} <= set().union(*rows)
    assert all(torch.isfinite(v).all() for v in trained.weights.values())


def test_a_resumed_training_ends_bit_identical(corpus: PreparedTexts) -> None:
    whole, first, second = recipe(corpus), recipe(corpus), recipe(corpus)
    for step in range(12):
        whole.step(step)
    for step in range(5):
        first.step(step)
    second.load_state_dict(first.state_dict())
    for step in range(5, 12):
        second.step(step)
    for name, value in whole.result().items():
        assert torch.equal(value, second.result()[name]), name


def test_free_bits_stop_the_pull_of_a_small_divergence(corpus: PreparedTexts) -> None:
    """Far below the floor, the KL term is its constant: the encoder feels no pull from β."""
    gradients = []
    for beta in (1.0, 0.0):
        made = recipe(corpus, free_bits=1000.0, kl_warmup=0.0, beta=beta, bag_of_words=0.0)
        figures = made.step(0)
        gradients.append([p.grad.clone() for p in made.vae.heads.parameters()])
        assert figures["loss"].item() == pytest.approx(
            figures["reconstruction"].item() + beta * 1000.0, rel=1e-5
        )
    for with_kl, without in zip(*gradients, strict=True):
        torch.testing.assert_close(with_kl, without)


def test_without_free_bits_the_loss_is_the_negative_elbo(corpus: PreparedTexts) -> None:
    figures = recipe(corpus, free_bits=0.0, kl_warmup=0.0, bag_of_words=0.0).step(0)
    expected = figures["reconstruction"] + figures["kl"]
    torch.testing.assert_close(figures["loss"], expected)


def test_word_dropout_hides_words_and_never_a_mark(corpus: PreparedTexts) -> None:
    made = recipe(corpus, word_dropout=1.0)
    inputs = torch.tensor([[BOS, 5, 6, EOS, PAD]])
    assert made._hide_words(inputs).tolist() == [[BOS, UNK, UNK, EOS, PAD]]


def test_validation_is_the_same_each_time_and_disturbs_no_stream(corpus: PreparedTexts) -> None:
    made = recipe(corpus)
    before = made.noise.get_state()
    first, second = made.validate(1), made.validate(1)
    assert first == second and torch.equal(before, made.noise.get_state())
    assert first["valid_loss"] <= first["valid_reconstruction"] + first["valid_kl"] + 1.0
