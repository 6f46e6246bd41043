"""The decoders and encoders of texts: what counts, and what cannot leak."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genline.data.prepared import BOS, EOS, PAD, TextSpec, TextSplit, pad_texts
from genline.models.initialisation import seeded
from genline.models.networks.decoder import Decoder, select_rows
from genline.models.networks.decoders import DECODERS, Sizes
from genline.models.networks.encoder import Encoder
from genline.models.networks.frequencies import start_at_frequencies
from genline.models.networks.sequence_attention import PastAttention
from genline.models.text_vae.config import Model
from genline.models.text_vae.networks import ENCODERS

VOCABULARY, LATENT, LONGEST = 11, 3, 7
NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {"network": "lstm"},
    "two-layer lstm": {"network": "lstm", "layers": 2},
    "lstm with attention": {"network": "lstm", "attention": True},
    "gru": {"network": "gru"},
    "gru with attention": {"network": "gru", "layers": 2, "attention": True},
    "transformer": {"network": "transformer", "layers": 2, "heads": 2},
    "mlp": {"network": "mlp"},
}
EVERY = pytest.mark.parametrize("name", NETWORKS)
ENCODER = pytest.mark.parametrize("name", [n for n in NETWORKS if "attention" not in n])
READERS = pytest.mark.parametrize("name", [n for n in NETWORKS if n != "mlp"])


def decoder(name: str = "lstm", latent: int = 0, seed: int = 1) -> Decoder:
    options = dict(NETWORKS[name])
    make = DECODERS[options.pop("network")]
    with seeded(seed):
        return make(Sizes(VOCABULARY, LONGEST, 6, 8, latent, **options)).eval()


def encoder(name: str) -> tuple[Encoder, torch.nn.Embedding]:
    section = Model(embedding=6, encoder=8, decoder=8, latent=LATENT, **NETWORKS[name])
    with seeded(2):
        made = ENCODERS[section.network](section, TextSpec(VOCABULARY, LONGEST))
        return made.eval().requires_grad_(False), torch.nn.Embedding(VOCABULARY, 6)


def batch(*texts: list[int]) -> Tensor:
    return torch.from_numpy(pad_texts([np.array(t, np.int64) for t in texts]))


texts_strategy = st.lists(
    st.lists(st.integers(3, VOCABULARY - 1), min_size=0, max_size=LONGEST), min_size=1, max_size=5
)


@EVERY
@given(texts_strategy)
@settings(deadline=None, max_examples=10)
def test_likelihood_of_a_uniform_model_counts_each_token_and_the_end_mark_only(
    name: str, texts: list[list[int]]
) -> None:
    model = decoder(name)
    for parameter in model.parameters():
        parameter.data.zero_()
    expected = torch.tensor([-(len(t) + 1) * math.log(VOCABULARY) for t in texts])
    torch.testing.assert_close(model.log_likelihood(batch(*texts)), expected)


def test_learned_frequencies_make_an_empty_model_a_unigram_model() -> None:
    texts = TextSplit(np.array([4, 4, 5], np.uint16), np.array([0, 2, 3], np.int64))
    model = decoder()
    for parameter in model.parameters():
        parameter.data.zero_()
    start_at_frequencies(model.bias, texts)
    total = 5 + 0.1 * VOCABULARY  # three words, two end marks, a tenth of each token
    expected = math.log(2.1 / total) + math.log(1.1 / total) + math.log(2.1 / total)
    assert model.log_likelihood(batch([4, 5])).item() == pytest.approx(expected, rel=1e-5)


@EVERY
def test_likelihood_is_the_sum_of_next_token_log_probabilities(name: str) -> None:
    """One token at a time, from what the state keeps, and all at once are the same model."""
    model, z = decoder(name, LATENT).requires_grad_(False), torch.randn(1, LATENT)
    text = [5, 9, 4, 4]
    state, total = model.start(1, z), 0.0
    for token, following in zip([BOS, *text], [*text, EOS], strict=True):
        logits, state = model.step(torch.tensor([token]), state, z)
        total += torch.log_softmax(logits, -1)[0, following].item()
    assert float(model.log_likelihood(batch(text), z)) == pytest.approx(total, rel=1e-5)


@EVERY
@given(texts_strategy)
@settings(deadline=None, max_examples=10)
def test_padding_and_neighbours_do_not_change_a_likelihood(
    name: str, texts: list[list[int]]
) -> None:
    model = decoder(name, LATENT)
    z = torch.linspace(-1, 1, len(texts) * LATENT).view(len(texts), LATENT)
    together = model.log_likelihood(batch(*texts), z)
    alone = torch.cat([model.log_likelihood(batch(t), z[i : i + 1]) for i, t in enumerate(texts)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@READERS
def test_later_tokens_change_no_earlier_term(name: str) -> None:
    model, z = decoder(name, LATENT), torch.ones(1, LATENT)
    first = model.token_log_likelihood(batch([4, 5, 6, 7]), z)
    second = model.token_log_likelihood(batch([4, 5, 9, 3]), z)
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert not torch.allclose(first[:, 3:], second[:, 3:])


@EVERY
def test_no_readout_has_a_gradient_to_a_later_input(name: str) -> None:
    model, z = decoder(name, LATENT), torch.ones(1, LATENT)
    embedded = model.embed(batch([4, 5, 6, 7])[:, :-1].T).detach().requires_grad_()
    readouts, _ = model.run(embedded, model.start(1, z), z)
    readouts[2].sum().backward()
    reached = torch.zeros(5) if embedded.grad is None else embedded.grad.abs().sum((1, 2))
    assert (reached[:3] > 0).all().item() is (name != "mlp")
    assert reached[3:].tolist() == [0.0, 0.0]


def test_each_place_of_a_dense_decoder_follows_from_the_latent_alone() -> None:
    model, z = decoder("mlp", LATENT), torch.ones(1, LATENT)
    first = model.token_log_likelihood(batch([4, 5, 6]), z)
    second = model.token_log_likelihood(batch([7, 5, 6]), z)
    torch.testing.assert_close(first[:, 1:], second[:, 1:])
    assert not torch.allclose(first[:, 0], second[:, 0])


def test_the_texts_of_a_dense_decoder_sum_to_one() -> None:
    """All of up to two words, and what is left: that three places do not hold the end mark."""
    model, z = decoder("mlp", LATENT).requires_grad_(False), torch.ones(1, LATENT)
    words = [token for token in range(VOCABULARY) if token not in (PAD, EOS)]
    texts = [[], *([w] for w in words), *([v, w] for v in words for w in words)]
    model.bias[PAD] = -1e9  # padding is no word: it is what is not counted
    ended = model.log_likelihood(batch(*texts), z.expand(len(texts), -1)).double().exp().sum()
    ends = torch.softmax(model.logits(model.start(1, z)[0][:3, 0]), -1)[:, EOS]
    assert float(ended + (1 - ends).prod()) == pytest.approx(1.0, abs=1e-5)


@EVERY
def test_latent_changes_the_likelihood(name: str) -> None:
    model, text = decoder(name, LATENT), batch([4, 5, 6])
    near, far = (model.log_likelihood(text, torch.full((1, LATENT), v)) for v in (0.0, 3.0))
    assert abs((near - far).item()) > 1e-3


@EVERY
def test_rows_of_a_state_can_be_taken_in_any_order(name: str) -> None:
    model = decoder(name, LATENT).requires_grad_(False)
    z = torch.randn(3, LATENT, generator=torch.Generator().manual_seed(0))
    tokens, order = torch.tensor([4, 5, 6]), torch.tensor([2, 0, 0, 1])
    _, state = model.step(tokens, model.start(3, z), z)
    logits, _ = model.step(tokens, state, z)
    moved, _ = model.step(tokens[order], select_rows(state, order), z[order])
    torch.testing.assert_close(moved, logits[order])


@EVERY
def test_embeddings_carry_gradients_as_tokens_would(name: str) -> None:
    """What a straight-through estimator reads: embeddings mixed from one-hot rows."""
    model, z = decoder(name, LATENT), torch.ones(1, LATENT)
    one_hot = torch.nn.functional.one_hot(torch.tensor([[BOS], [5], [6]]), VOCABULARY).float()
    one_hot.requires_grad_()
    embedded = one_hot @ (model.embedding.weight * model.scale)
    readouts, _ = model.run(embedded, model.start(1, z), z)
    torch.testing.assert_close(embedded, model.embed(torch.tensor([[BOS], [5], [6]])))
    if name != "mlp":
        model.logits(readouts)[-1].square().sum().backward()
        assert one_hot.grad is not None and float(one_hot.grad[1].abs().sum()) > 0


@EVERY
def test_draws_score_as_each_alone_however_they_are_split(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, texts = decoder(name, LATENT), batch([4, 5], [6, 7, 8])
    z = torch.randn(5, 2, LATENT, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([model.log_likelihood(texts, part) for part in z])
    monkeypatch.setattr("genline.models.networks.decoder._ROWS", 4)
    monkeypatch.setattr("genline.models.networks.decoder._TOKENS", 3)
    torch.testing.assert_close(model.log_likelihood(texts, z), expected, rtol=1e-4, atol=1e-4)


@READERS
def test_hidden_inputs_are_still_predicted(name: str) -> None:
    model, texts = decoder(name), batch([4, 5, 6])
    hidden = texts[:, :-1].clone()
    hidden[:, 1:] = 3
    changed = model.token_log_likelihood(texts, inputs=hidden)
    plain = model.token_log_likelihood(texts)
    torch.testing.assert_close(changed[:, 0], plain[:, 0])
    assert not torch.allclose(changed[:, 1:], plain[:, 1:])


@EVERY
def test_dropout_is_drawn_from_its_generator_alone(name: str) -> None:
    model, texts = decoder(name), batch([4, 5, 6])
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (
        model.token_log_likelihood(texts, p=0.5, generator=torch.Generator().manual_seed(s))
        for s in (1, 1)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert not torch.allclose(first, model.token_log_likelihood(texts))
    assert torch.equal(before, torch.get_rng_state())


@ENCODER
@given(texts_strategy)
@settings(deadline=None, max_examples=10)
def test_padding_and_neighbours_do_not_change_an_encoding(
    name: str, texts: list[list[int]]
) -> None:
    read, embedding = encoder(name)

    def encode(x: Tensor) -> Tensor:
        return read(embedding(x.T), x)

    together = encode(batch(*texts))
    alone = torch.cat([encode(batch(t)) for t in texts])
    assert together.shape == (len(texts), read.features)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@ENCODER
def test_encoder_ignores_whatever_stands_in_the_padding(name: str) -> None:
    read, embedding = encoder(name)
    x = batch([4, 5], [6, 7, 8, 9])
    embedded = embedding(x.T)
    disturbed = embedded.clone()
    disturbed[(x == PAD).T] = 50.0
    torch.testing.assert_close(read(embedded, x), read(disturbed, x))


@ENCODER
def test_encoder_sees_the_order_of_the_words(name: str) -> None:
    read, embedding = encoder(name)
    first, second = batch([4, 5, 6]), batch([6, 5, 4])
    assert not torch.allclose(read(embedding(first.T), first), read(embedding(second.T), second))


def test_attention_over_the_past_sees_the_past_and_the_present() -> None:
    with seeded(0):
        attention = PastAttention(4)
    states = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    whole = attention(states, states[:0])
    weights = torch.softmax(
        torch.einsum("tbh,sbh->bts", attention.query(states), attention.key(states)) / 2
        + torch.full((5, 5), -math.inf).triu(1),
        -1,
    )
    torch.testing.assert_close(whole, torch.einsum("bts,sbh->tbh", weights, states))
    torch.testing.assert_close(attention(states[3:], states[:3]), whole[3:])
