"""Every text GAN that is offered trains, and comes nearer to its texts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from text_corpus import random_texts, write_corpus

from genline.core.errors import ParamsError
from genline.data.prepared import EOS, PreparedTexts, pad_texts
from genline.models.networks.energy import energy_distance
from genline.models.text_gan.config import Discriminator, Model, Train
from genline.models.text_gan.discriminators import DISCRIMINATORS
from genline.models.text_gan.generators import GENERATORS
from genline.models.text_gan.objectives import OBJECTIVES
from genline.models.text_gan.texts import ngram_bags
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.text_gan import TextGANRecipe, build

KINDS, PLACES = 6, 6  # of the chain below


def recipe(
    corpus: PreparedTexts,
    network: str = "lstm",
    judge: str = "lstm",
    width: int = 8,
    model: dict[str, Any] | None = None,
    **changes: Any,
) -> TextGANRecipe:
    latent = 4 if network in ("recurrent", "mlp") else 0
    section = Model(network=network, embedding=width, hidden=width, latent=latent, **(model or {}))
    settings: dict[str, Any] = {
        "pretrain_steps": 1,
        "adversarial_steps": 2,
        "batch": 8,
        "learning_rate": 0.01,
        "adversarial_learning_rate": 0.002,
        "weight_decay": 0.0,
        "dropout": 0.1,
        "objective": "gumbel",
        "adversarial_weight": 0.1,
        "likelihood_weight": 1.0,
        "discount": 1.0,
        "inverse_temperature": 10.0,
        "discriminator": Discriminator(network=judge, learning_rate=0.003, dropout=0.1),
        "clip": 5.0,
        "ema": 0.9,
        "validate_every": 100,
        "validate_texts": 20,
        "validate_samples": 300,
    }
    context = Context(Fabric(accelerator="cpu", devices=1, precision="32-true"), 3)
    made = build(context, corpus, section, Train(**(settings | changes)))
    assert isinstance(made, TextGANRecipe)
    return made


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> PreparedTexts:
    return write_corpus(tmp_path_factory.mktemp("random"), random_texts(40, 15, 6), 15)


def oracle_texts(count: int, seed: int) -> list[list[int]]:
    """Of a Markov chain: uniform at first, then one token on with 0.7 or two with 0.3."""
    random = np.random.default_rng(seed)
    first = random.integers(KINDS, size=(count, 1))
    moves = 1 + (random.random((count, PLACES - 1)) < 0.3)
    states = np.cumsum(np.concatenate([first, moves], 1), 1) % KINDS
    return (4 + states).tolist()  # type: ignore[no-any-return]


ENTROPY = math.log(KINDS) - (PLACES - 1) * (0.7 * math.log(0.7) + 0.3 * math.log(0.3))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> PreparedTexts:
    return write_corpus(tmp_path_factory.mktemp("chain"), oracle_texts(1000, 0), 4 + KINDS)


def train_all(made: TextGANRecipe) -> None:
    for step in range(made.steps):
        figures = made.step(step)
        assert all(bool(torch.isfinite(value)) for value in figures.values()), step
    made.gan.load_state_dict(made.finish(made.result()))


@pytest.mark.parametrize("network", GENERATORS)
@pytest.mark.parametrize("judge", DISCRIMINATORS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_combination_trains(
    corpus: PreparedTexts, network: str, judge: str, objective: str
) -> None:
    made = recipe(corpus, network, judge, objective=objective)
    before = {k: v.clone() for k, v in made.discriminator.head.state_dict().items()}
    for step in range(2):  # one of likelihood, and one of the game
        assert all(bool(torch.isfinite(value)) for value in made.step(step).values())
    assert all(bool(torch.isfinite(value).all()) for value in made.result().values())
    after = made.discriminator.head.state_dict()
    assert any(not torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("network", GENERATORS)
def test_the_adversarial_gradient_reaches_every_weight_that_draws(
    corpus: PreparedTexts, network: str
) -> None:
    """Alone, without the anchor of likelihood."""
    for objective in OBJECTIVES:
        made = recipe(
            corpus,
            network,
            "conv",
            objective=objective,
            likelihood_weight=0.0,
            adversarial_weight=1.0,
        )
        for step in range(2):
            made.step(step)
        still = [
            name
            for name, weight in made.gan.generator.named_parameters()
            if weight.grad is None or not weight.grad.abs().sum() > 0
        ]
        assert not still, objective


@pytest.mark.parametrize("options", [{"relativistic": False}, {"matching": "mmd"}])
@pytest.mark.parametrize("model", [{"attention": True}, {"layers": 2}])
def test_its_options_train(
    corpus: PreparedTexts, options: dict[str, Any], model: dict[str, Any]
) -> None:
    objective = "feature_matching" if "matching" in options else "gumbel"
    train_all(recipe(corpus, "recurrent", model=model, objective=objective, **options))


@pytest.mark.parametrize("network", GENERATORS)
def test_maximum_likelihood_by_itself_is_two_phases_and_its_own_control(
    corpus: PreparedTexts, network: str, tmp_path: Path
) -> None:
    made = recipe(corpus, network, objective="mle", validate_every=2)
    done = train("test", made, Checkpoints(tmp_path, "gan", "d" * 64))
    assert len(done.history.rows) == made.steps == 3
    assert not any("adversarial_loss" in row for row in done.history.rows)
    kept = done.weights
    for name, value in kept.items():
        assert torch.equal(value, kept[name.replace("generator.", "control.")]), name
    made.gan.load_state_dict(kept)


def test_maximum_likelihood_by_itself_is_what_every_control_is(corpus: PreparedTexts) -> None:
    alone, game = recipe(corpus, objective="mle"), recipe(corpus, adversarial_weight=0.0)
    for made in (alone, game):
        train_all(made)
    found = dict(alone.gan.generator.named_parameters())
    # But for the order of the random numbers of dropout, of which the second phase draws none.
    for name, value in game.gan.control.named_parameters():
        torch.testing.assert_close(value, found[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("objective", [*OBJECTIVES, "mle"])
@pytest.mark.parametrize("network", GENERATORS)
def test_every_objective_brings_every_network_nearer_to_the_texts(
    chain: PreparedTexts, network: str, objective: str
) -> None:
    """By itself, from the first weights on: no likelihood beside an adversarial gradient."""
    made = recipe(
        chain,
        network,
        "conv",
        16,
        objective=objective,
        adversarial_steps=32,
        batch=32,
        adversarial_learning_rate=0.015,
        likelihood_weight=0.0,
        adversarial_weight=1.0,
        discriminator=Discriminator(network="conv", learning_rate=0.01, dropout=0.1),
    )
    real = ngram_bags(torch.tensor(pad_texts([np.array(t) for t in oracle_texts(300, 9)]))[:, 1:])

    def distance() -> float:
        random = torch.Generator().manual_seed(1)
        return energy_distance(ngram_bags(made.gan.sample(300, random)), real).distance

    before = distance()
    for step in range(33):  # of which the first is likelihood's, and changes next to nothing
        figures = made.step(step)
        assert all(bool(torch.isfinite(value)) for value in figures.values()), step
    made.gan.load_state_dict(made.result())
    assert distance() < 0.9 * before


@pytest.mark.parametrize(("network", "objective"), [("lstm", "reinforce"), ("transformer", "mle")])
def test_it_approaches_the_entropy_of_an_oracle(
    chain: PreparedTexts, network: str, objective: str
) -> None:
    made = recipe(
        chain,
        network,
        "conv",
        32,
        objective=objective,
        pretrain_steps=150,
        adversarial_steps=25,
        batch=64,
        learning_rate=0.02,
        dropout=0.0,
    )
    train_all(made)
    fresh = torch.tensor(pad_texts([np.array(text) for text in oracle_texts(400, 7)]))
    with torch.no_grad():
        found = -float(made.gan.generator.log_likelihood(fresh).mean())
    assert ENTROPY - 0.1 < found < ENTROPY + 0.3
    samples = made.gan.sample(300, torch.Generator().manual_seed(0)).tolist()
    possible = [
        end == EOS and all((b - a) % KINDS in (1, 2) for a, b in pairwise(text))
        for *text, end in samples
    ]
    assert np.mean(possible) > 0.9


def test_a_batch_larger_than_the_data_is_refused(corpus: PreparedTexts) -> None:
    with pytest.raises(ParamsError, match=r"batch is 41.*use 40 or fewer"):
        recipe(corpus, batch=41)
