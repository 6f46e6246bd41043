"""Training of the text VAE: remedies mean what they say, and a resumed run is the same run."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from text_corpus import random_texts, write_corpus

from genline.core.errors import ParamsError
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


def recipe(
    corpus: PreparedTexts, precision: Any = "32-true", model: Model = MODEL, **changes: float
) -> TextVAERecipe:
    context = Context(Fabric(accelerator="cpu", devices=1, precision=precision), 3)
    made = build(context, corpus, model, TRAIN.model_copy(update=changes))
    assert isinstance(made, TextVAERecipe)
    return made


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_lowers_the_loss_and_every_figure_is_finite(
    corpus: PreparedTexts, tmp_path: Path, precision: str
) -> None:
    made = recipe(corpus, precision, steps=40, validate_every=20)
    trained = train("test", made, Checkpoints(tmp_path, "vae", "d" * 64))
    rows = trained.history.rows
    assert rows[-1]["reconstruction"] < rows[0]["reconstruction"]
    assert {"loss", "reconstruction", "kl", "valid_loss", "valid_kl"} <= set().union(*rows)
    assert all(torch.isfinite(v).all() for v in trained.weights.values())


def test_a_resumed_training_ends_bit_identical(corpus: PreparedTexts) -> None:
    """In the autoencoder, in the phase with updates of the encoder, and in the last."""
    options: dict[str, Any] = {
        "model": MODEL.model_copy(update={"batch_norm": 0.5}),
        "steps": 8,
        "pretrain_steps": 4,
        "encoder_updates": 2,
        "kl_cycles": 2,
    }
    whole, states = recipe(corpus, **options), {}
    for step in range(12):
        if step in (2, 5, 9):
            states[step] = copy.deepcopy(whole.state_dict())
        whole.step(step)
    for done, state in states.items():
        resumed = recipe(corpus, **options)
        resumed.load_state_dict(state)
        for step in range(done, 12):
            resumed.step(step)
        for name, value in whole.result().items():
            assert torch.equal(value, resumed.result()[name]), (done, name)


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


def test_beta_rises_as_often_as_there_are_cycles(corpus: PreparedTexts) -> None:
    once = recipe(corpus, steps=12, kl_warmup=0.5)
    assert [once._beta(s) for s in (0, 2, 5, 11)] == pytest.approx([1 / 6, 0.5, 1, 1])
    cyclic = recipe(corpus, steps=12, kl_warmup=0.5, kl_cycles=3, beta=2.0)
    assert [cyclic._beta(s) for s in range(12)] == pytest.approx([1.0, 2.0, 2.0, 2.0] * 3)
    uneven = recipe(corpus, steps=11, kl_warmup=1.0, kl_cycles=4)
    assert [uneven._beta(s) for s in range(11)] == pytest.approx(
        [1 / 3, 2 / 3, 1] * 3 + [1 / 3, 2 / 3]
    )


def test_an_encoder_is_pretrained_without_noise_or_divergence(corpus: PreparedTexts) -> None:
    """The loss is the reconstruction from the mean, which no noise of z and no β changes."""
    options: dict[str, Any] = {"pretrain_steps": 3, "dropout": 0.0, "word_dropout": 0.0}
    first = recipe(corpus, **options, beta=1.0, free_bits=0.0)
    second = recipe(corpus, **options, beta=50.0, free_bits=9.0)
    for step in range(3):
        figures, others = first.step(step), second.step(step)
        assert torch.equal(figures["loss"], others["loss"])
        assert torch.equal(figures["loss"], figures["reconstruction"])
    x = first.context.tensor(first.texts.batch(first.batches[3]))
    mean, _ = first.vae.posterior(x)
    expected = -first.vae.log_likelihood(x, mean).mean()
    torch.testing.assert_close(first._autoencode(3)["loss"], expected)
    assert first.steps == 15 and first.phase_ends == {3}
    assert [first.selects(step) for step in (1, 3, 4, 15)] == [None, None, "", ""]


def test_after_pretraining_the_decoder_starts_anew_and_the_encoder_stays(
    corpus: PreparedTexts,
) -> None:
    made = recipe(corpus, pretrain_steps=4, learning_rate=0.05)
    for step in range(4):
        made.step(step)
    before = {k: v.clone() for k, v in made.vae.state_dict().items()}
    made._forget_decoder()
    after, averaged = made.vae.state_dict(), made.average.module.state_dict()
    for name, value in before.items():
        kept = not name.startswith("decoder.") or name == "decoder.embedding.weight"
        assert torch.equal(value, after[name]) is kept, name
        assert torch.equal(after[name], averaged[name]), name
    assert not made.optimizer.state


def test_further_updates_move_the_encoder_alone_while_beta_rises(corpus: PreparedTexts) -> None:
    made = recipe(corpus, encoder_updates=3, steps=12, kl_warmup=0.5)
    plain = recipe(corpus, steps=12, kl_warmup=0.5)
    moved: list[list[str]] = []

    def spy(loss: torch.Tensor, encoder_alone: bool = False) -> None:
        before = {k: v.detach().clone() for k, v in made.vae.named_parameters()}
        TextVAERecipe._descend(made, loss, encoder_alone)
        changed = [k for k, v in made.vae.named_parameters() if not torch.equal(v, before[k])]
        moved.append(changed)

    made._descend = spy  # type: ignore[method-assign]
    made.step(0)
    assert len(moved) == 4
    for names in moved[:3]:
        assert names and not any(name.startswith("decoder") for name in names)
    assert any(name.startswith("decoder") for name in moved[3])
    moved.clear()
    made.step(11)  # β has its value
    assert len(moved) == 1
    assert {k: v.shape for k, v in plain.result().items()} == {
        k: v.shape for k, v in made.result().items()
    }


def test_a_batch_norm_takes_its_statistics_from_training_texts(corpus: PreparedTexts) -> None:
    """The averaged encoder's means spread as the floor asks, however far the weights have moved."""
    gamma = 0.7
    made = recipe(corpus, model=MODEL.model_copy(update={"batch_norm": gamma}))
    for step in range(12):
        made.step(step)
    made.validate(12)
    vae = made.average.module
    means = torch.cat([vae.posterior(x)[0] for x in made._some_texts()])  # type: ignore[operator]
    torch.testing.assert_close(means.std(0), torch.full((4,), gamma), rtol=1e-2, atol=0)
    figures = made.validate(12)
    assert figures["valid_kl"] > 0.9 * 4 * gamma**2 / 2


def test_a_bag_of_words_is_predicted_from_the_latent_alone(corpus: PreparedTexts) -> None:
    made = recipe(corpus, bag_of_words=1.0)
    x = torch.tensor([[BOS, 5, 6, 6, EOS, PAD], [BOS, 7, EOS, PAD, PAD, PAD]])
    z = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    chances = torch.log_softmax(made.words(z), -1)
    expected = -(
        chances[0, 5] + 2 * chances[0, 6] + chances[0, EOS] + chances[1, 7] + chances[1, EOS]
    )
    torch.testing.assert_close(made._bag_of_words(x, z), expected / 2)
    shuffled = x[:, [0, 3, 1, 2, 4, 5]]
    torch.testing.assert_close(
        made._bag_of_words(shuffled[:1], z[:1]), made._bag_of_words(x[:1], z[:1])
    )


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        ({"network": "mlp"}, {"word_dropout": 0.3}, "word_dropout is 0.3, but the decoder"),
        ({}, {"batch": 1000}, "there are only 40 training items; use 40 or fewer"),
    ],
)
def test_what_cannot_work_is_refused_before_training(
    corpus: PreparedTexts, model: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParamsError, match=words):
        recipe(corpus, model=MODEL.model_copy(update=model), **changes)


NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "attention": {"attention": True},
    "gru": {"network": "gru"},
    "transformer": {"network": "transformer", "heads": 2},
    "mlp": {"network": "mlp"},
}
REMEDIES: dict[str, dict[str, float]] = {
    "none": {},
    "cycles": {"kl_warmup": 0.5, "kl_cycles": 2},
    "free_bits": {"free_bits": 1.0},
    "word_dropout": {"word_dropout": 0.3},
    "bag_of_words": {"bag_of_words": 0.5},
    "pretraining": {"pretrain_steps": 10},
    "encoder_updates": {"kl_warmup": 0.5, "encoder_updates": 1},
    "batch_norm": {"batch_norm": 0.5},
}


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_takes_a_step_in_half_precision(corpus: PreparedTexts, network: str) -> None:
    made = recipe(
        corpus, "bf16-mixed", MODEL.model_copy(update=NETWORKS[network]), word_dropout=0.0
    )
    assert all(torch.isfinite(value) for value in made.step(0).values())
    assert all(value.dtype is torch.float32 for value in made.result().values())


# All but what is refused; attention is of the decoder alone, which no remedy is of.
OFFERED = [
    (network, remedy)
    for network in NETWORKS
    for remedy in REMEDIES
    if (network, remedy) != ("mlp", "word_dropout")
    and (network != "attention" or remedy in ("none", "word_dropout"))
]


@pytest.mark.parametrize(("network", "remedy"), OFFERED)
def test_every_network_learns_with_every_remedy(tmp_path: Path, network: str, remedy: str) -> None:
    counted = [list(range(4 + i % 7, 5 + i % 7 + i % 5)) for i in range(40)]
    corpus = write_corpus(tmp_path / "corpus", counted, 15)
    changes = dict(REMEDIES[remedy])
    model = MODEL.model_copy(
        update=NETWORKS[network] | {"batch_norm": changes.pop("batch_norm", 0.0)}
    )
    off = {"free_bits": 0.0, "word_dropout": 0.0, "bag_of_words": 0.0, "dropout": 0.0}
    settings = {"steps": 24, "ema": 0.6, "learning_rate": 0.1, "batch": 20}
    made = recipe(corpus, model=model, **(off | settings | changes))
    before = made.validate(0)
    for step in range(made.steps):
        figures = made.step(step)
        assert all(torch.isfinite(value) for value in figures.values())
    after = made.validate(made.steps)
    assert after["valid_loss"] < before["valid_loss"] - 0.3
    assert all(torch.isfinite(value).all() for value in made.result().values())


def test_validation_is_the_same_each_time_and_disturbs_no_stream(corpus: PreparedTexts) -> None:
    made = recipe(corpus)
    before = made.noise.get_state()
    first, second = made.validate(1), made.validate(1)
    assert first == second and torch.equal(before, made.noise.get_state())
    assert first["valid_loss"] <= first["valid_reconstruction"] + first["valid_kl"] + 1.0
