"""Drawing and searching texts: distributions, marks, and that rows do not touch each other."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from genline.core.errors import ModelError
from genline.data.prepared import BOS, EOS, PAD, UNK
from genline.models.initialisation import seeded
from genline.models.networks.beam import beam_search
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoders import DECODERS, Sizes
from genline.models.networks.decoding import (
    MARKS,
    UNREADABLE,
    decode_texts,
    keep_nucleus,
    keep_top_k,
    sample_texts,
)
from genline.models.networks.strategy import Decoding, Strategy

VOCABULARY = 8


def step_of(logits: Tensor):  # type: ignore[no-untyped-def]
    """A model whose next-token logits are ``logits`` (vocabulary,) or (count, vocabulary)."""

    def step(tokens: Tensor, state: int) -> tuple[Tensor, int]:
        return logits.expand(len(tokens), -1).clone(), state

    return step


def draw(logits: Tensor, count: int, seed: int = 0, temperature: float = 1.0, **options) -> Tensor:  # type: ignore[no-untyped-def]
    random = torch.Generator().manual_seed(seed)
    return sample_texts(step_of(logits), 0, count, 6, random, temperature, **options)


def test_tokens_are_drawn_with_their_probabilities() -> None:
    chances = torch.tensor([0.0, 0.0, 0.2, 0.0, 0.1, 0.3, 0.4, 0.0])
    first = draw(chances.log(), 40_000)[:, 0]
    found = torch.bincount(first, minlength=VOCABULARY) / len(first)
    # Four standard errors of a share of 40,000 draws.
    assert torch.all((found - chances).abs() <= 4 * (chances * (1 - chances) / 40_000).sqrt())


def test_temperature_divides_the_logits() -> None:
    logits = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 3.0, -1.0])
    allowed = torch.tensor([2, 4, 5, 6, 7])
    expected = torch.softmax(logits[allowed] / 0.5, -1)
    first = draw(logits, 40_000, temperature=0.5)[:, 0]
    found = torch.bincount(first, minlength=VOCABULARY)[allowed] / len(first)
    assert torch.all((found - expected).abs() <= 4 * (expected * (1 - expected) / 40_000).sqrt())


def test_a_vanishing_temperature_is_greedy() -> None:
    logits = torch.randn(5, VOCABULARY, generator=torch.Generator().manual_seed(1))
    greedy = draw(logits, 5, temperature=0.0)
    for temperature in (1e-6, 1e-44):
        torch.testing.assert_close(greedy, draw(logits, 5, temperature=temperature))
    readable = logits.clone()
    readable[:, [PAD, BOS, UNK]] = -math.inf
    assert torch.equal(greedy[:, 0], readable.argmax(-1))


@pytest.mark.parametrize("temperature", [-1.0, math.nan, math.inf])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ModelError, match="temperature"):
        draw(torch.zeros(VOCABULARY), 2, temperature=temperature)


def test_rows_hold_tokens_then_one_end_then_padding() -> None:
    texts = draw(torch.zeros(VOCABULARY), 500)
    assert texts.dtype == torch.int64 and texts.shape[1] <= 7
    for row in texts.tolist():
        end = row.index(EOS)
        assert all(token == PAD for token in row[end + 1 :])
        assert not {PAD, BOS, UNK} & set(row[:end])


def test_a_text_that_never_ends_is_ended_at_the_longest_length() -> None:
    logits = torch.zeros(VOCABULARY)
    logits[EOS] = -math.inf
    texts = draw(logits, 4)
    assert texts.shape == (4, 7)
    assert torch.all(texts[:, -1] == EOS) and torch.all(texts[:, :-1] > UNK)


def test_unknown_words_are_drawn_only_where_they_are_asked_for() -> None:
    logits = torch.full((VOCABULARY,), -math.inf)
    logits[UNK], logits[4] = 5.0, 0.0
    assert not torch.any(draw(logits, 200) == UNK)
    assert torch.any(draw(logits, 200, never=MARKS) == UNK)


def test_the_same_generator_state_gives_the_same_texts() -> None:
    logits = torch.zeros(VOCABULARY)
    assert torch.equal(draw(logits, 50, seed=4), draw(logits, 50, seed=4))
    assert not torch.equal(draw(logits, 50, seed=4), draw(logits, 50, seed=5))


def test_a_row_does_not_depend_on_the_others() -> None:
    logits = torch.randn(6, VOCABULARY, generator=torch.Generator().manual_seed(2))
    changed = logits.clone()
    changed[0] = torch.tensor([0.0, 0, 50, 0, 0, 0, 0, 0])  # this row ends at once
    first, second = draw(logits, 6), draw(changed, 6)
    width = max(first.shape[1], second.shape[1])
    first, second = (torch.nn.functional.pad(x, (0, width - x.shape[1])) for x in (first, second))
    assert torch.equal(first[1:], second[1:])
    assert second[0].tolist() == [EOS] + [PAD] * (width - 1)


STRATEGIES = {
    "ancestral": Decoding(),
    "temperature": Decoding(temperature=0.5),
    "top_k": Decoding(top_k=2),
    "top_p": Decoding(top_p=0.6),
    "all": Decoding(temperature=0.8, top_k=3, top_p=0.8),
    "greedy": Decoding(beams=1),
    "beam": Decoding(beams=3),
}


def small_decoder(network: str, latent: int = 3) -> Decoder:
    with seeded(4):
        made = DECODERS[network](Sizes(VOCABULARY, 5, 6, 8, latent, heads=2))
    for name, parameter in made.named_parameters():
        parameter.data *= 3.0 if "norm" not in name else 1.0  # far from uniform
    return made.requires_grad_(False).eval()


def write(
    decoder: Decoder, z: Tensor, strategy: Strategy, longest: int = 5, temperature: float = 1.0
) -> Tensor:
    """Texts of ``decoder`` at z (count, latent), as a VAE writes them."""

    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        logits, rest = decoder.step(tokens, state[1:], state[0][0])
        return logits, (state[0], *rest)

    random = torch.Generator().manual_seed(3)
    state = (z[None], *decoder.start(len(z), z))
    return decode_texts(step, state, len(z), longest, random, temperature, strategy)


@pytest.mark.parametrize("network", DECODERS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_text_does_not_depend_on_its_neighbours(network: str, name: str) -> None:
    """The others change, one of them so that it is longer or shorter; this row's text stays."""
    decoder, chosen = small_decoder(network), STRATEGIES[name]
    z = 2 * torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    others = 2 * torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    first = write(decoder, z, chosen.strategy, temperature=chosen.temperature)
    for row in (0, 5):
        mixed = others.clone()
        mixed[row] = z[row]
        second = write(decoder, mixed, chosen.strategy, temperature=chosen.temperature)
        width = min(first.shape[1], second.shape[1])
        assert torch.equal(first[row, :width], second[row, :width])
        assert not torch.any(first[row, width:]) and not torch.any(second[row, width:])
        assert first.tolist() != second.tolist()


def test_top_k_keeps_the_likeliest_of_each_row() -> None:
    logits = torch.tensor([[1.0, 5.0, 3.0, 4.0], [9.0, 0.0, 8.0, 7.0]])
    kept = keep_top_k(logits, 2)
    assert torch.isfinite(kept).tolist() == [[False, True, False, True], [True, False, True, False]]
    assert torch.equal(kept[torch.isfinite(kept)], logits[torch.isfinite(kept)])
    assert torch.equal(keep_top_k(logits, 9), logits)


def test_the_nucleus_is_the_fewest_tokens_that_reach_its_probability() -> None:
    chances = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.9, 0.04, 0.03, 0.03]])
    for p, expected in (
        (0.4, [[1], [0]]),
        (0.6, [[1, 3], [0]]),
        (0.8, [[1, 2, 3], [0]]),
        (0.92, [[0, 1, 2, 3], [0, 1]]),
    ):
        kept = torch.isfinite(keep_nucleus(chances.log(), p))
        assert [row.nonzero()[:, 0].tolist() for row in kept] == expected


@pytest.mark.parametrize(
    ("strategy", "allowed"), [(Strategy(top_k=2), [5, 6]), (Strategy(top_p=0.65), [5, 6])]
)
def test_what_is_kept_is_drawn_in_proportion(strategy: Strategy, allowed: list[int]) -> None:
    chances = torch.tensor([0.0, 0.0, 0.2, 0.0, 0.1, 0.3, 0.4, 0.0])
    first = draw(chances.log(), 20_000, strategy=strategy)[:, 0]
    found = torch.bincount(first, minlength=VOCABULARY) / len(first)
    expected = torch.zeros(VOCABULARY)
    expected[allowed] = chances[allowed] / chances[allowed].sum()
    assert torch.all((found - expected).abs() <= 4 * (expected * (1 - expected) / 20_000).sqrt())


def test_what_may_not_be_drawn_takes_no_place_among_the_likeliest() -> None:
    logits = torch.zeros(VOCABULARY)
    logits[[PAD, BOS, UNK]], logits[6] = 9.0, 1.0
    assert set(draw(logits, 50, strategy=Strategy(top_k=1))[:, 0].tolist()) == {6}
    assert set(draw(logits, 50, strategy=Strategy(top_p=0.01))[:, 0].tolist()) == {6}


@pytest.mark.parametrize("network", DECODERS)
def test_one_beam_is_greedy(network: str) -> None:
    decoder = small_decoder(network)
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    greedy = write(decoder, z, Strategy(beams=1))
    assert torch.equal(greedy, write(decoder, z, Strategy(), temperature=0.0))

    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        logits, rest = decoder.step(tokens, state[1:], state[0][0])
        return logits, (state[0], *rest)

    state = (z[None], *decoder.start(len(z), z))
    found = beam_search(step, state, 6, 5, 1, UNREADABLE)
    assert torch.equal(found, greedy)


def score(decoder: Decoder, text: list[int], z: Tensor, longest: int) -> float:
    """The log-probability with which sampling draws ``text``, token by token."""
    state, total, last = decoder.start(1, z), 0.0, BOS
    for token in [*text, EOS][:longest]:
        logits, state = decoder.step(torch.tensor([last]), state, z)
        logits[:, list(UNREADABLE)] = -math.inf
        total, last = total + float(torch.log_softmax(logits, -1)[0, token]), token
    return total


@pytest.mark.parametrize("network", DECODERS)
def test_enough_beams_find_the_likeliest_of_all_texts(network: str) -> None:
    """Each row its own, in the order of z."""
    decoder, longest = small_decoder(network), 3
    z = 2 * torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    words = range(UNK + 1, VOCABULARY)
    every = [list(t) for n in range(longest + 1) for t in itertools.product(words, repeat=n)]
    found = write(decoder, z, Strategy(beams=16), longest)
    for row, latent in zip(found.tolist(), z, strict=True):
        best = max(every, key=lambda text: score(decoder, text, latent[None], longest))
        assert row[: row.index(EOS)] == best


def test_a_search_of_many_rows_is_that_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = small_decoder("transformer")
    z = 2 * torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    whole = write(decoder, z, Strategy(beams=2))
    monkeypatch.setattr("genline.models.networks.beam._ROWS", 4)
    assert torch.equal(whole, write(decoder, z, Strategy(beams=2)))


def test_a_search_ends_a_text_that_never_ends() -> None:
    logits = torch.zeros(VOCABULARY)
    logits[EOS] = -math.inf

    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        return logits.expand(len(tokens), -1), state

    state = (torch.zeros(1, 2, 1),)
    texts = beam_search(step, state, 2, 4, 3, UNREADABLE)
    assert texts.shape == (2, 5)
    assert torch.all(texts[:, -1] == EOS) and torch.all(texts[:, :-1] > UNK)


def test_a_search_does_not_go_with_drawing() -> None:
    with pytest.raises(ValidationError, match="draws nothing"):
        Strategy(beams=2, top_k=5)
    with pytest.raises(ValidationError, match="leave out one"):
        Decoding(beams=2, temperature=0.5)
