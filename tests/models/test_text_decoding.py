"""Ancestral sampling: its distribution, its marks, and that rows do not touch each other."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from genline.core.errors import ModelError
from genline.data.prepared import BOS, EOS, PAD, UNK
from genline.models.networks.decoding import MARKS, sample_texts

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
