"""The discriminators of texts: what each scores, and what it starts from."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genline.data.prepared import BOS, EOS, PAD, TextSpec
from genline.models.initialisation import seeded
from genline.models.networks.recurrent_decoder import GRUDecoder, LSTMDecoder
from genline.models.text_gan.config import Discriminator, Model
from genline.models.text_gan.discriminators import (
    DISCRIMINATORS,
    GRUDiscriminator,
    LSTMDiscriminator,
    TextDiscriminator,
    make_discriminator,
)
from genline.models.text_gan.generators import make_generator
from genline.models.text_gan.texts import Texts

SPEC = TextSpec(vocabulary=9, max_tokens=5)
MODEL = Model(network="lstm", embedding=6, hidden=8)
TEXT = torch.tensor([[BOS, 4, 5, EOS, PAD], [BOS, 6, 7, 8, EOS]])


def test_discriminator_scores_a_prefix_by_what_has_been_read() -> None:
    discriminator = discriminator_of("lstm")
    first, second = torch.tensor([[4], [5], [6]]), torch.tensor([[4], [5], [8]])
    on_first, on_second = (discriminator(Texts(x)).logits for x in (first, second))
    torch.testing.assert_close(on_first[:2], on_second[:2])
    assert not torch.allclose(on_first[2], on_second[2])


def discriminator_of(network: str, **changes: Any) -> TextDiscriminator:
    section = Discriminator(network=network, learning_rate=0.1, dropout=0.0, **changes)
    with seeded(1):
        return make_discriminator(section, MODEL, SPEC)


@pytest.mark.parametrize("network", DISCRIMINATORS)
def test_a_discriminator_reads_a_text_alone(network: str) -> None:
    """Neither padding nor the rest of the batch changes what it finds in a text."""
    judge = discriminator_of(network)
    short = torch.tensor([[4, 5, EOS]])
    longer = torch.tensor([[4, 5, EOS, PAD, PAD], [6, 7, 8, 4, EOS]])
    alone, among = (judge(Texts(texts.T)) for texts in (short, longer))
    torch.testing.assert_close(among.logits[: len(alone.logits), 0], alone.logits[:, 0])
    torch.testing.assert_close(judge.features(Texts(longer.T))[:1], judge.features(Texts(short.T)))


@pytest.mark.parametrize("network", DISCRIMINATORS)
def test_a_discriminator_of_whole_texts_has_one_score_for_each(network: str) -> None:
    scores = discriminator_of(network)(Texts(TEXT[:, 1:].T))
    prefixes = Discriminator(network=network, learning_rate=0.1, dropout=0.0).scores_prefixes
    assert scores.logits.shape == scores.real.shape == (4 if prefixes else 1, 2)
    assert len(scores.counted) == (7 if prefixes else 2)


@pytest.mark.parametrize("network", DISCRIMINATORS)
def test_a_discriminator_tells_the_order_of_words(network: str) -> None:
    judge = discriminator_of(network)
    on_first, on_second = (
        judge(Texts(torch.tensor([[*text, EOS]]).T)).logits[-1] for text in ([4, 5, 6], [6, 5, 4])
    )
    assert not torch.allclose(on_first, on_second)


@pytest.mark.parametrize("network", ["lstm", "gru"])
def test_a_discriminator_of_prefixes_starts_as_a_generator_of_its_kind(network: str) -> None:
    generator = make_generator(MODEL.model_copy(update={"network": network}), SPEC)
    judge = discriminator_of(network)
    judge.start_from(generator)
    assert isinstance(judge, LSTMDiscriminator | GRUDiscriminator)
    assert isinstance(generator, LSTMDecoder | GRUDecoder)
    own, given = judge.recurrence.state_dict(), getattr(generator, network).state_dict()
    assert all(torch.equal(own[name], given[name]) for name in given)
    noisy = MODEL.model_copy(update={"network": "recurrent", "latent": 3})
    deep = MODEL.model_copy(update={"network": network, "layers": 2})
    for other in (noisy, deep):  # which only the embedding of fits
        judge = discriminator_of(network)
        assert isinstance(judge, LSTMDiscriminator | GRUDiscriminator)
        before = {k: v.clone() for k, v in judge.recurrence.state_dict().items()}
        generator = make_generator(other, SPEC)
        judge.start_from(generator)
        torch.testing.assert_close(
            judge.embedding.weight, generator.embedding.weight * generator.scale
        )
        after = judge.recurrence.state_dict()
        assert all(torch.equal(after[name], before[name]) for name in before)
