"""Training of the text GAN: its phases, its control, and that it can learn a language."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from text_corpus import random_texts, write_corpus

from genline.data.prepared import EOS, PreparedTexts
from genline.models.text_gan.config import NOISY, Discriminator, Model, Train
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import train
from genline.training.engine.recipe import Context
from genline.training.recipes.text_gan import TextGANRecipe, build

MODEL = Model(network="lstm", embedding=8, hidden=12)
TRAIN = Train(
    pretrain_steps=6,
    adversarial_steps=5,
    batch=8,
    learning_rate=0.01,
    adversarial_learning_rate=0.005,
    weight_decay=0.01,
    dropout=0.2,
    objective="reinforce",
    adversarial_weight=1.0,
    likelihood_weight=1.0,
    discount=0.5,
    inverse_temperature=10.0,
    discriminator=Discriminator(network="lstm", learning_rate=0.005, dropout=0.2),
    clip=5.0,
    ema=0.9,
    validate_every=5,
    validate_texts=20,
    validate_samples=1000,
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


def recipe(
    corpus: PreparedTexts, model: Model = MODEL, precision: Any = "32-true", **changes: Any
) -> TextGANRecipe:
    context = Context(Fabric(accelerator="cpu", devices=1, precision=precision), 3)
    made = build(context, corpus, model, TRAIN.model_copy(update=changes))
    assert isinstance(made, TextGANRecipe)
    return made


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("objective", ["reinforce", "gumbel", "feature_matching"])
def test_every_phase_is_finite_and_fills_its_own_columns(
    corpus: PreparedTexts, tmp_path: Path, objective: str, precision: str
) -> None:
    made = recipe(corpus, objective=objective, precision=precision)
    trained = train("test", made, Checkpoints(tmp_path, "gan", "d" * 64))
    rows = trained.history.rows
    assert len(rows) == made.steps == 16 and all("loss" in row for row in rows)
    assert all("pretrain_loss" in row for row in rows[:6])
    assert all("discriminator_loss" in row for row in rows[6:11])
    assert all("control_loss" in row for row in rows[11:])
    assert all(torch.isfinite(v).all() for v in trained.weights.values())
    made.gan.load_state_dict(trained.weights)


@pytest.mark.parametrize(
    ("objective", "stops"),
    [
        ("reinforce", (3, 6, 8, 11, 13)),
        ("gumbel", (8,)),
        ("feature_matching", (8,)),
        ("mle", (8,)),
    ],
)
def test_a_training_resumed_in_any_phase_ends_bit_identical(
    corpus: PreparedTexts, objective: str, stops: tuple[int, ...]
) -> None:
    whole, states = recipe(corpus, objective=objective), {}
    for step in range(whole.steps):
        if step in stops:
            states[step] = copy.deepcopy(whole.state_dict())
        whole.step(step)
    for stop, state in states.items():
        resumed = recipe(corpus, objective=objective)
        resumed.load_state_dict(state)
        for step in range(stop, whole.steps):
            resumed.step(step)
        for name, value in whole.result().items():
            assert torch.equal(value, resumed.result()[name]), (stop, name)


def test_without_the_adversarial_gradient_the_generator_is_its_control(
    corpus: PreparedTexts,
) -> None:
    made = recipe(corpus, adversarial_weight=0.0)
    for step in range(made.steps):
        made.step(step)
    kept = made.result()
    for name, value in kept.items():
        if name.startswith("generator."):
            twin = kept[name.replace("generator.", "control.")]
            torch.testing.assert_close(value, twin, rtol=0, atol=1e-6)


def test_the_adversarial_weight_counts_though_its_gradient_is_clipped(
    corpus: PreparedTexts,
) -> None:
    """Far above the limit, each gradient is of the limit's norm before it is weighted."""
    gradients = {}
    for weight in (0.0, 1.0, 3.0):
        made = recipe(corpus, clip=1e-3, adversarial_weight=weight)
        for step in range(7):  # the last is the first of the adversarial phase
            made.step(step)
        found = [p.grad for p in made.gan.generator.parameters() if p.grad is not None]
        gradients[weight] = torch.cat([g.flatten() for g in found])
    likelihood = gradients[0.0]
    once, thrice = gradients[1.0] - likelihood, gradients[3.0] - likelihood
    assert likelihood.norm().item() == pytest.approx(1e-3, rel=1e-3)
    assert once.norm().item() == pytest.approx(1e-3, rel=1e-3)
    torch.testing.assert_close(thrice, 3 * once, rtol=1e-3, atol=1e-7)


def test_generator_and_control_are_selected_by_one_rule(
    corpus: PreparedTexts, tmp_path: Path
) -> None:
    """Each is the averaged state, of those validated in its phase, nearest to the texts."""
    made = recipe(corpus, validate_every=2)
    states: dict[int, dict[str, torch.Tensor]] = {}
    measure = made.validate

    def remembering(step: int) -> dict[str, float]:
        states[step] = {k: v.clone() for k, v in made.result().items()}
        return measure(step)

    made.validate = remembering  # type: ignore[method-assign]
    trained = train("test", made, Checkpoints(tmp_path, "gan", "d" * 64))
    rows = {int(r["step"]): r for r in trained.history.rows if "valid_distance" in r}
    assert set(rows) == {8, 10, 11, 12, 14, 16}
    for name, steps in (("generator", (8, 10, 11)), ("control", (12, 14, 16))):
        kept, least = 0, float("inf")
        for step in steps:
            if rows[step]["valid_distance"] <= least + rows[step]["valid_distance_error"]:
                kept = step
            least = min(least, rows[step]["valid_distance"])
        for key, value in states[kept].items():
            if key.startswith(f"{name}."):
                assert torch.equal(trained.weights[key], value), key


def test_the_loss_is_the_likelihood_in_every_phase(corpus: PreparedTexts, tmp_path: Path) -> None:
    made = recipe(corpus, adversarial_weight=100.0)
    rows = train("test", made, Checkpoints(tmp_path, "gan", "d" * 64)).history.rows
    own = ("pretrain_loss", "likelihood_loss", "control_loss")
    assert all(row["loss"] in [row.get(name) for name in own] for row in rows)


def test_with_the_adversarial_gradient_it_is_not(corpus: PreparedTexts) -> None:
    made = recipe(corpus)
    for step in range(made.steps):
        made.step(step)
    kept = made.result()
    twins = [(v, kept[k.replace("generator.", "control.")]) for k, v in kept.items()]
    assert max(float((a - b).abs().max()) for a, b in twins) > 1e-3


@pytest.mark.parametrize(
    ("network", "objective"),
    [
        ("lstm", "reinforce"),
        ("gru", "gumbel"),
        ("recurrent", "feature_matching"),
        ("mlp", "mle"),
    ],
)
def test_it_learns_the_one_sequence_it_is_shown(
    tmp_path: Path, network: str, objective: str
) -> None:
    sequence = list(range(4, 24))
    corpus = write_corpus(tmp_path / "corpus", [sequence] * 80, 24)
    made = recipe(
        corpus,
        Model(network=network, embedding=32, hidden=64, latent=4 if network in NOISY else 0),
        objective=objective,
        pretrain_steps=80,
        adversarial_steps=10,
        batch=40,
        learning_rate=0.01,
        dropout=0.0,
        adversarial_weight=0.1,
    )
    for step in range(made.steps):
        made.step(step)
    made.gan.load_state_dict(made.finish(made.result()))
    for variant in made.gan.variants:
        samples = made.gan.sample(50, torch.Generator().manual_seed(0), variant).tolist()
        right = sum(row == [*sequence, EOS] for row in samples)
        assert right >= 45, f"{variant}: {right} of 50"
