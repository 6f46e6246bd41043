"""The recurrent decoder and encoder: what counts, and what cannot leak."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genline.data.prepared import BOS, EOS, PAD, TextSplit, pad_texts
from genline.models.initialisation import seeded
from genline.models.networks.frequencies import start_at_frequencies
from genline.models.networks.lstm_decoder import LSTMDecoder
from genline.models.networks.lstm_encoder import LSTMEncoder

VOCABULARY, LATENT = 11, 3


def decoder(latent: int = 0, seed: int = 1) -> LSTMDecoder:
    with seeded(seed):
        return LSTMDecoder(VOCABULARY, 6, 8, latent).eval()


def batch(*texts: list[int]) -> Tensor:
    return torch.from_numpy(pad_texts([np.array(t, np.int64) for t in texts]))


texts_strategy = st.lists(
    st.lists(st.integers(3, VOCABULARY - 1), min_size=0, max_size=7), min_size=1, max_size=5
)


@given(texts_strategy)
@settings(deadline=None, max_examples=30)
def test_likelihood_of_a_uniform_model_counts_each_token_and_the_end_mark_only(
    texts: list[list[int]],
) -> None:
    model = decoder()
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


def test_likelihood_is_the_sum_of_next_token_log_probabilities() -> None:
    model, z = decoder(LATENT).requires_grad_(False), torch.randn(1, LATENT)
    text = [5, 9, 4]
    state, total = model.start(1, z), 0.0
    for token, following in zip([BOS, *text], [*text, EOS], strict=True):
        logits, state = model.step(torch.tensor([token]), state, z)
        total += torch.log_softmax(logits, -1)[0, following].item()
    assert float(model.log_likelihood(batch(text), z)) == pytest.approx(total, rel=1e-5)


@given(texts_strategy)
@settings(deadline=None, max_examples=30)
def test_padding_and_neighbours_do_not_change_a_likelihood(texts: list[list[int]]) -> None:
    model = decoder(LATENT)
    z = torch.linspace(-1, 1, len(texts) * LATENT).view(len(texts), LATENT)
    together = model.log_likelihood(batch(*texts), z)
    alone = torch.cat([model.log_likelihood(batch(t), z[i : i + 1]) for i, t in enumerate(texts)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_later_tokens_change_no_earlier_term() -> None:
    model, z = decoder(LATENT), torch.ones(1, LATENT)
    first = model.token_log_likelihood(batch([4, 5, 6, 7]), z)
    second = model.token_log_likelihood(batch([4, 5, 9, 3]), z)
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert not torch.allclose(first[:, 3:], second[:, 3:])


def test_latent_changes_the_likelihood() -> None:
    model, text = decoder(LATENT), batch([4, 5, 6])
    near, far = (model.log_likelihood(text, torch.full((1, LATENT), v)) for v in (0.0, 3.0))
    assert abs(float(near - far)) > 1e-3


def test_draws_score_as_each_alone_however_they_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    model, texts = decoder(LATENT), batch([4, 5], [6, 7, 8])
    z = torch.randn(5, 2, LATENT, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([model.log_likelihood(texts, part) for part in z])
    monkeypatch.setattr("genline.models.networks.lstm_decoder._ROWS", 4)
    monkeypatch.setattr("genline.models.networks.lstm_decoder._TOKENS", 3)
    torch.testing.assert_close(model.log_likelihood(texts, z), expected, rtol=1e-4, atol=1e-4)


def test_hidden_inputs_are_still_predicted() -> None:
    model, texts = decoder(), batch([4, 5, 6])
    hidden = texts[:, :-1].clone()
    hidden[:, 1:] = 3
    changed = model.token_log_likelihood(texts, inputs=hidden)
    plain = model.token_log_likelihood(texts)
    torch.testing.assert_close(changed[:, 0], plain[:, 0])
    assert not torch.allclose(changed[:, 1:], plain[:, 1:])


def test_dropout_is_drawn_from_its_generator_alone() -> None:
    model, texts = decoder(), batch([4, 5, 6])
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (
        model.token_log_likelihood(texts, p=0.5, generator=torch.Generator().manual_seed(s))
        for s in (1, 1)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert not torch.allclose(first, model.token_log_likelihood(texts))
    assert torch.equal(before, torch.get_rng_state())


@given(texts_strategy)
@settings(deadline=None, max_examples=30)
def test_padding_and_neighbours_do_not_change_an_encoding(texts: list[list[int]]) -> None:
    with seeded(2):
        encoder, embedding = LSTMEncoder(6, 8), torch.nn.Embedding(VOCABULARY, 6)

    def encode(x: Tensor) -> Tensor:
        return encoder(embedding(x.T), x)

    together = encode(batch(*texts))
    alone = torch.cat([encode(batch(t)) for t in texts])
    assert together.shape == (len(texts), encoder.features)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_encoder_ignores_whatever_stands_in_the_padding() -> None:
    with seeded(2):
        encoder, embedding = LSTMEncoder(6, 8), torch.nn.Embedding(VOCABULARY, 6)
    x = batch([4, 5], [6, 7, 8, 9])
    embedded = embedding(x.T)
    disturbed = embedded.clone()
    disturbed[(x == PAD).T] = 50.0
    torch.testing.assert_close(encoder(embedded, x), encoder(disturbed, x))
