"""The text GAN as evaluation sees it, and its objectives."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from genline.core.errors import ModelError
from genline.data.prepared import BOS, EOS, PAD, ImageSpec, TextSpec
from genline.models import text_gan
from genline.models.initialisation import seeded
from genline.models.networks.recurrent_decoder import LSTMDecoder
from genline.models.networks.strategy import Strategy
from genline.models.store import load_model, save_model
from genline.models.text_gan.config import Discriminator, Model, Train
from genline.models.text_gan.discriminators import LSTMDiscriminator
from genline.models.text_gan.model import TextGAN
from genline.models.text_gan.objectives import Gumbel, Objective, Reinforce, text_scores
from genline.models.text_gan.texts import Texts, ngram_bags

SPEC = TextSpec(vocabulary=9, max_tokens=5)
MODEL = Model(network="lstm", embedding=6, hidden=8)
TRAIN = Train(
    pretrain_steps=4,
    adversarial_steps=4,
    batch=4,
    learning_rate=0.01,
    adversarial_learning_rate=0.01,
    weight_decay=0.0,
    dropout=0.1,
    objective="reinforce",
    adversarial_weight=1.0,
    likelihood_weight=1.0,
    discount=1.0,
    inverse_temperature=10.0,
    discriminator=Discriminator(network="lstm", learning_rate=0.01, dropout=0.0),
    clip=5.0,
    ema=0.9,
    validate_every=4,
    validate_texts=20,
    validate_samples=1000,
)
TEXT = torch.tensor([[BOS, 4, 5, EOS, PAD], [BOS, 6, 7, 8, EOS]])


@pytest.fixture
def gan() -> TextGAN:
    with seeded(5):
        return text_gan.build(MODEL, SPEC).requires_grad_(False).eval()


def test_generator_and_control_are_two_models_in_one(gan: TextGAN) -> None:
    assert gan.variants == ("generator", "control")
    by_default = gan.log_probability(TEXT)
    assert torch.equal(by_default, gan.log_probability(TEXT, "generator"))
    assert not torch.allclose(by_default, gan.log_probability(TEXT, "control"))
    samples = {
        name: gan.sample(30, torch.Generator().manual_seed(0), name).tolist()
        for name in gan.variants
    }
    assert samples["generator"] != samples["control"]
    with pytest.raises(ModelError, match="control"):
        gan.sample(1, torch.Generator(), "contrl")


def test_a_search_finds_the_likeliest_text_of_a_generator(gan: TextGAN) -> None:
    found, *_ = gan.sample(3, torch.Generator(), strategy=Strategy(beams=8)).tolist()
    drawn = gan.sample(200, torch.Generator().manual_seed(0))
    texts = torch.cat([torch.full_like(drawn[:, :1], BOS), drawn], 1)
    best = gan.log_probability(torch.tensor([[BOS, *found]]))
    assert float(best) > float(gan.log_probability(texts).max()) - 1e-4


def test_likelihood_of_an_empty_network_is_uniform_over_the_vocabulary(gan: TextGAN) -> None:
    for parameter in gan.parameters():
        parameter.zero_()
    expected = torch.tensor([-3 * math.log(9), -4 * math.log(9)])
    torch.testing.assert_close(gan.log_probability(TEXT), expected)


def test_a_stored_model_is_the_same_model(gan: TextGAN, tmp_path: Path) -> None:
    save_model(tmp_path, "text_gan", MODEL, SPEC, gan.state_dict())
    loaded = load_model(tmp_path).model
    assert isinstance(loaded, TextGAN)
    for name in gan.variants:
        assert torch.equal(loaded.log_probability(TEXT, name), gan.log_probability(TEXT, name))


def test_a_dataset_of_images_is_refused() -> None:
    with pytest.raises(ModelError, match="images"):
        text_gan.build(MODEL, ImageSpec(1, 8, 8, 17, 10))


def networks() -> tuple[LSTMDecoder, LSTMDiscriminator]:
    with seeded(3):
        return LSTMDecoder(9, 6, 8), LSTMDiscriminator(9, 6, 8)


def test_discriminator_scores_a_prefix_by_what_has_been_read() -> None:
    _, discriminator = networks()
    first, second = torch.tensor([[4], [5], [6]]), torch.tensor([[4], [5], [8]])
    on_first, on_second = (discriminator(discriminator.embedding(x)) for x in (first, second))
    torch.testing.assert_close(on_first[:2], on_second[:2])
    assert not torch.allclose(on_first[2], on_second[2])


def test_undiscounted_returns_are_the_text_s_log_ratio_less_the_prefix_s() -> None:
    objective = Reinforce(TRAIN, 5)
    scores = torch.tensor([[0.5, 1.0], [0.2, -1.0], [2.0, 9.0]])
    real = torch.tensor([[True, True], [True, True], [True, False]])
    expected = torch.tensor([[2.0, -1.0], [1.5, -2.0], [1.8, 0.0]])
    torch.testing.assert_close(objective.returns(scores, real), expected)


def test_without_looking_ahead_the_return_is_the_token_s_own_reward() -> None:
    objective = Reinforce(TRAIN.model_copy(update={"discount": 0.0}), 5)
    scores, real = torch.tensor([[0.5], [0.2], [2.0]]), torch.ones(3, 1, dtype=torch.bool)
    torch.testing.assert_close(
        objective.returns(scores, real), torch.tensor([[0.5], [-0.3], [1.8]])
    )


class Constant(LSTMDiscriminator):
    """Logit 1 after every prefix: the first token is rewarded, and none after it."""

    def forward(self, embedded, p=0.0, generator=None):  # type: ignore[no-untyped-def]
        return torch.ones(embedded.shape[:2])


def test_a_forced_end_gets_no_credit() -> None:
    """Two texts of the longest length: their loss has no part in the chance of the end mark."""
    generator, _ = networks()
    tokens = torch.tensor([[4, 5, 6, 7, 8, EOS], [8, 7, 6, 5, 4, EOS]]).T
    objective = Reinforce(TRAIN.model_copy(update={"discount": 0.0}), 5)
    objective.baseline.fill_(-1.0)  # every token that counts has an advantage of 1 or more
    loss = objective.generator_loss(generator, Constant(9, 6, 8), Texts(tokens), Texts(tokens))
    begin = torch.full_like(tokens[:1], BOS)
    likelihoods = generator.token_log_likelihood(torch.cat([begin, tokens]).T)
    advantage = torch.tensor([2.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    torch.testing.assert_close(loss, -(advantage * likelihoods).sum(1).mean())
    assert objective.baseline.item() == pytest.approx(-1.0 + 0.05 * (0.2 + 1.0))


def test_an_end_that_was_drawn_gets_its_credit() -> None:
    generator, _ = networks()
    tokens = torch.tensor([[4, EOS]]).T
    objective = Reinforce(TRAIN.model_copy(update={"discount": 0.0}), 5)
    objective.baseline.fill_(-1.0)
    loss = objective.generator_loss(generator, Constant(9, 6, 8), Texts(tokens), Texts(tokens))
    likelihoods = generator.token_log_likelihood(torch.tensor([[BOS, 4, EOS]]))
    torch.testing.assert_close(loss, -(torch.tensor([2.0, 1.0]) * likelihoods).sum())


@pytest.mark.parametrize("kind", [Reinforce, Gumbel])
def test_drawn_texts_end_at_the_longest_length(kind: type[Objective]) -> None:
    generator, _ = networks()
    with torch.no_grad():
        generator.bias[EOS] = -100.0
    texts = kind(TRAIN, 5).draw(generator, 7, 0.5, torch.Generator().manual_seed(0))
    assert texts.tokens.shape == (6, 7)
    assert torch.all(texts.tokens[5] == EOS) and not torch.any(texts.tokens[:5] == EOS)


def test_bags_know_order_and_not_padding() -> None:
    texts = torch.tensor([[4, 5, EOS, PAD], [5, 4, EOS, PAD], [4, 5, EOS, PAD]])
    bags = ngram_bags(texts)
    torch.testing.assert_close(bags.norm(dim=1), torch.ones(3))
    assert torch.equal(bags[0], bags[2]) and not torch.equal(bags[0], bags[1])
    assert torch.equal(ngram_bags(texts[:, :3]), bags)
    # Three tokens and two pairs of neighbours, each once.
    assert (bags[0] > 0).sum() == 5 and bags[0].max().item() == pytest.approx(5**-0.5)


def test_text_scores_average_real_tokens_only() -> None:
    scores = torch.tensor([[1.0, 4.0], [3.0, 100.0]])
    real = torch.tensor([[True, True], [True, False]])
    assert text_scores(scores, real).tolist() == [2.0, 4.0]


def test_policy_gradient_raises_the_likelihood_of_what_the_discriminator_prefers() -> None:
    generator, _ = networks()

    class Prefers(LSTMDiscriminator):
        """Logit 3 once token 4 has been read first, else −3."""

        def forward(self, embedded, p=0.0, generator=None):  # type: ignore[no-untyped-def]
            liked = (embedded[:1] - self.embedding.weight[4]).abs().sum(-1) < 1e-6
            return torch.where(liked, 3.0, -3.0).expand(embedded.shape[:2])

    judge = Prefers(9, 6, 8)
    objective = Reinforce(TRAIN, 5)
    optimizer = torch.optim.Adam(generator.parameters(), 0.01)
    random = torch.Generator().manual_seed(0)

    def chance() -> float:
        logits, _ = generator.step(torch.tensor([BOS]), generator.start(1))
        return float(torch.softmax(logits, -1)[0, 4].detach())

    before = chance()
    for _ in range(40):
        fake = objective.draw(generator, 32, 0.5, random)
        loss = objective.generator_loss(generator, judge, fake, fake)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.2 and chance() > 0.6


def test_straight_through_texts_are_one_hot_and_carry_gradient_to_the_generator() -> None:
    generator, discriminator = networks()
    objective = Gumbel(TRAIN.model_copy(update={"objective": "gumbel"}), 5)
    fake = objective.draw(generator, 16, 0.5, torch.Generator().manual_seed(0))
    assert fake.relaxed is not None
    hard = fake.relaxed.detach()
    assert torch.equal(hard.argmax(-1)[fake.real], fake.tokens[fake.real])
    torch.testing.assert_close(hard.sum(-1), fake.real.float())
    assert not set(fake.tokens[fake.real].tolist()) & {PAD, BOS}
    real = Texts(TEXT[:, 1:].T.repeat(1, 8))
    objective.generator_loss(generator, discriminator, real, fake).backward()
    gradients = [p.grad for p in generator.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert any(float(g.abs().sum()) > 0 for g in gradients if g is not None)


@pytest.mark.parametrize("objective", [Reinforce(TRAIN, 5), Gumbel(TRAIN, 5)])
def test_a_discriminator_that_is_right_loses_less(objective: Reinforce | Gumbel) -> None:
    mask = torch.ones(3, 2, dtype=torch.bool)
    high, low = torch.full((3, 2), 4.0), torch.full((3, 2), -4.0)
    right = objective.discriminator_loss(high, mask, low, mask)
    wrong = objective.discriminator_loss(low, mask, high, mask)
    blind = objective.discriminator_loss(0 * high, mask, 0 * low, mask)
    assert float(right) < float(blind) < float(wrong)
