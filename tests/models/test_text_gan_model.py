"""The text GAN as evaluation sees it, and its objectives."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from genline.core.errors import ModelError
from genline.data.prepared import BOS, EOS, PAD, ImageSpec, TextSpec
from genline.models import text_gan
from genline.models.base import TractableModel
from genline.models.initialisation import seeded
from genline.models.networks.decoding import decode_texts
from genline.models.networks.discrepancy import squared_discrepancy
from genline.models.networks.recurrent_decoder import LSTMDecoder
from genline.models.networks.strategy import Strategy
from genline.models.store import load_model, save_model
from genline.models.text_gan.config import NOISY, Discriminator, Model, Train
from genline.models.text_gan.discriminators import LSTMDiscriminator, Scores
from genline.models.text_gan.generators import draw_noise, make_generator, reading
from genline.models.text_gan.gumbel import FeatureMatching, Gumbel
from genline.models.text_gan.model import LanguageModelGAN, TextGAN
from genline.models.text_gan.objective import Objective
from genline.models.text_gan.reinforce import Reinforce
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
def gan() -> LanguageModelGAN:
    with seeded(5):
        made = text_gan.build(MODEL, SPEC).requires_grad_(False).eval()
    assert isinstance(made, LanguageModelGAN)
    return made


def test_generator_and_control_are_two_models_in_one(gan: LanguageModelGAN) -> None:
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


def test_a_search_finds_the_likeliest_text_of_a_generator(gan: LanguageModelGAN) -> None:
    found, *_ = gan.sample(3, torch.Generator(), strategy=Strategy(beams=8)).tolist()
    drawn = gan.sample(200, torch.Generator().manual_seed(0))
    texts = torch.cat([torch.full_like(drawn[:, :1], BOS), drawn], 1)
    best = gan.log_probability(torch.tensor([[BOS, *found]]))
    assert float(best) > float(gan.log_probability(texts).max()) - 1e-4


def test_likelihood_of_an_empty_network_is_uniform_over_the_vocabulary(
    gan: LanguageModelGAN,
) -> None:
    for parameter in gan.parameters():
        parameter.zero_()
    expected = torch.tensor([-3 * math.log(9), -4 * math.log(9)])
    torch.testing.assert_close(gan.log_probability(TEXT), expected)


def test_a_stored_model_is_the_same_model(gan: LanguageModelGAN, tmp_path: Path) -> None:
    save_model(tmp_path, "text_gan", MODEL, SPEC, gan.state_dict())
    loaded = load_model(tmp_path).model
    assert isinstance(loaded, LanguageModelGAN)
    for name in gan.variants:
        assert torch.equal(loaded.log_probability(TEXT, name), gan.log_probability(TEXT, name))


def test_a_dataset_of_images_is_refused() -> None:
    with pytest.raises(ModelError, match="images"):
        text_gan.build(MODEL, ImageSpec(1, 8, 8, 17, 10))


def networks() -> tuple[LSTMDecoder, LSTMDiscriminator]:
    with seeded(3):
        return LSTMDecoder(9, 6, 8), LSTMDiscriminator(9, 6, 8)


def test_undiscounted_returns_are_the_text_s_log_ratio_less_the_prefix_s() -> None:
    objective = Reinforce(TRAIN, 5)
    scores = torch.tensor([[0.5, 1.0], [0.2, -1.0], [2.0, 9.0]])
    real = torch.tensor([[True, True], [True, True], [True, False]])
    expected = torch.tensor([[2.0, -1.0], [1.5, -2.0], [1.8, 0.0]])
    torch.testing.assert_close(objective.returns(Scores(scores, real), real), expected)


def test_without_looking_ahead_the_return_is_the_token_s_own_reward() -> None:
    objective = Reinforce(TRAIN.model_copy(update={"discount": 0.0}), 5)
    scores, real = torch.tensor([[0.5], [0.2], [2.0]]), torch.ones(3, 1, dtype=torch.bool)
    torch.testing.assert_close(
        objective.returns(Scores(scores, real), real), torch.tensor([[0.5], [-0.3], [1.8]])
    )


class Constant(LSTMDiscriminator):
    """Logit 1 after every prefix: the first token is rewarded, and none after it."""

    def forward(
        self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
    ) -> Scores:
        return Scores(torch.ones(texts.tokens.shape), texts.real)


def test_a_forced_end_gets_no_credit() -> None:
    """Two texts of the longest length: their loss has no part in the chance of the end mark."""
    generator, _ = networks()
    tokens = torch.tensor([[4, 5, 6, 7, 8, EOS], [8, 7, 6, 5, 4, EOS]]).T
    objective = Reinforce(TRAIN.model_copy(update={"discount": 0.0}), 5)
    objective.mean_return.fill_(-1.0)  # every token that counts has an advantage of 1 or more
    loss = objective.generator_loss(generator, Constant(9, 6, 8), Texts(tokens), Texts(tokens))
    begin = torch.full_like(tokens[:1], BOS)
    likelihoods = generator.token_log_likelihood(torch.cat([begin, tokens]).T)
    advantage = torch.tensor([2.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    torch.testing.assert_close(loss, -(advantage * likelihoods).sum(1).mean())
    assert objective.mean_return.item() == pytest.approx(-1.0 + 0.05 * (0.2 + 1.0))


def test_an_end_that_was_drawn_gets_its_credit() -> None:
    generator, _ = networks()
    tokens = torch.tensor([[4, EOS]]).T
    objective = Reinforce(TRAIN.model_copy(update={"discount": 0.0}), 5)
    objective.mean_return.fill_(-1.0)
    loss = objective.generator_loss(generator, Constant(9, 6, 8), Texts(tokens), Texts(tokens))
    likelihoods = generator.token_log_likelihood(torch.tensor([[BOS, 4, EOS]]))
    torch.testing.assert_close(loss, -(torch.tensor([2.0, 1.0]) * likelihoods).sum())


@pytest.mark.parametrize("kind", [Reinforce, Gumbel, FeatureMatching])
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
    assert Scores(scores, real).of_texts.tolist() == [2.0, 4.0]


def test_policy_gradient_raises_the_likelihood_of_what_the_discriminator_prefers() -> None:
    generator, _ = networks()

    class Prefers(LSTMDiscriminator):
        """Logit 3 once token 4 has been read first, else −3."""

        def forward(
            self, texts: Texts, p: float = 0.0, generator: torch.Generator | None = None
        ) -> Scores:
            liked = texts.tokens[:1] == 4
            return Scores(torch.where(liked, 3.0, -3.0).expand(texts.tokens.shape), texts.real)

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
    exact = torch.nn.functional.one_hot(fake.tokens, 9) * fake.real[..., None]
    assert torch.equal(hard, exact.float())
    assert not set(fake.tokens[fake.real].tolist()) & {PAD, BOS}
    real = Texts(TEXT[:, 1:].T.repeat(1, 8))
    objective.generator_loss(generator, discriminator, real, fake).backward()
    gradients = [p.grad for p in generator.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert any(float(g.abs().sum()) > 0 for g in gradients if g is not None)


@pytest.mark.parametrize("relativistic", [True, False])
@pytest.mark.parametrize("kind", [Reinforce, Gumbel, FeatureMatching])
def test_a_discriminator_that_is_right_loses_less(
    kind: type[Objective], relativistic: bool
) -> None:
    objective = kind(TRAIN.model_copy(update={"relativistic": relativistic}), 5)
    mask = torch.ones(3, 2, dtype=torch.bool)
    high, low = Scores(torch.full((3, 2), 4.0), mask), Scores(torch.full((3, 2), -4.0), mask)
    none = Scores(torch.zeros(3, 2), mask)
    right = objective.discriminator_loss(high, low)
    wrong = objective.discriminator_loss(low, high)
    blind = objective.discriminator_loss(none, none)
    assert float(right) < float(blind) < float(wrong)


def test_only_a_relativistic_loss_looks_at_the_difference_alone() -> None:
    mask = torch.ones(1, 2, dtype=torch.bool)
    sides = [Scores(torch.tensor([[4.0, 4.0]]) + s, mask) for s in (0.0, 1.0)]
    raised = [Scores(s.logits + 7.0, mask) for s in sides]
    for relativistic in (True, False):
        objective = Gumbel(TRAIN.model_copy(update={"relativistic": relativistic}), 5)
        losses = [float(objective.discriminator_loss(*pair)) for pair in (sides, raised)]
        assert (losses[0] == pytest.approx(losses[1])) is relativistic


def test_accuracy_counts_pairs_where_only_differences_mean_something() -> None:
    """Both sides above 0, and each real text above its generated one but the last."""
    mask = torch.ones(1, 4, dtype=torch.bool)
    real = Scores(torch.tensor([[9.0, 8.0, 7.0, 5.0]]), mask)
    fake = Scores(torch.tensor([[8.0, 7.0, 6.0, 6.0]]), mask)
    for relativistic, expected in ((True, 0.75), (False, 0.5)):
        objective = Gumbel(TRAIN.model_copy(update={"relativistic": relativistic}), 5)
        assert float(objective.accuracy(real, fake)) == expected
    below = Scores(-fake.logits, mask)
    assert float(Reinforce(TRAIN, 5).accuracy(real, below)) == 1.0


def test_the_return_of_a_whole_text_s_score_is_that_score_at_each_of_its_tokens() -> None:
    judge = TRAIN.discriminator.model_copy(update={"network": "conv"})
    objective = Reinforce(TRAIN.model_copy(update={"discriminator": judge}), 5)
    real = torch.tensor([[True, True], [True, False]])
    found = objective.returns(Scores(torch.tensor([[2.0, -1.0]]), real[:1]), real)
    assert found.tolist() == [[2.0, -1.0], [2.0, 0.0]]


@pytest.mark.parametrize("matching", ["mean", "mmd"])
def test_the_features_of_the_same_texts_match(matching: str) -> None:
    _, discriminator = networks()
    objective = FeatureMatching(TRAIN.model_copy(update={"matching": matching}), 5)
    generator, _ = networks()
    some, other = Texts(TEXT[:, 1:].T), Texts(TEXT[:, 1:].T.flip(0)[1:])
    with torch.no_grad():
        apart = objective.generator_loss(generator, discriminator, some, other)
        same = objective.generator_loss(generator, discriminator, some, some)
    assert abs(float(same)) < 1e-6 < float(apart)


def test_only_the_distribution_tells_a_wide_spread_from_a_narrow_one() -> None:
    """Equal means: what the mean cannot see, a characteristic kernel does."""
    narrow, wide = torch.tensor([[-1.0], [1.0]]), torch.tensor([[-3.0], [3.0]])
    assert float(squared_discrepancy(narrow, wide)) > 0.1
    assert float(squared_discrepancy(narrow, narrow.flip(0))) == pytest.approx(0.0, abs=1e-6)


def test_the_discrepancy_is_exact_where_training_is_in_half_precision() -> None:
    """Features far from zero and close to each other: a rounded product would swallow them."""
    random = torch.Generator().manual_seed(0)
    x, y = 20.0 + torch.randn(2, 30, 16, generator=random)
    found = squared_discrepancy(x, y + 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(squared_discrepancy(x, y + 1.0), found)


def test_the_discrepancy_of_two_points_is_that_of_their_kernel() -> None:
    """MMD² of {a} and {b} is 2 − 2 k(a, b), of k at the mean squared distance, half of theirs."""
    found = float(squared_discrepancy(torch.tensor([[0.0]]), torch.tensor([[5.0]])))
    kernel = sum(math.exp(-2 / (2 * width)) for width in (0.25, 1.0, 4.0)) / 3
    assert found == pytest.approx(2 - 2 * kernel, rel=1e-5)


@pytest.mark.parametrize("network", NOISY)
def test_a_generator_with_noise_has_samples_and_no_likelihood(network: str, tmp_path: Path) -> None:
    section = Model(network=network, embedding=6, hidden=8, latent=4)
    with seeded(2):
        made = text_gan.build(section, SPEC)
    assert not isinstance(made, TractableModel) and isinstance(gan_of_words(), TractableModel)
    first = made.sample(20, torch.Generator().manual_seed(0))
    assert torch.equal(first, made.sample(20, torch.Generator().manual_seed(0)))
    save_model(tmp_path, "text_gan", section, SPEC, made.state_dict())
    loaded = load_model(tmp_path).model
    assert torch.equal(loaded.sample(20, torch.Generator().manual_seed(0)), first)


def gan_of_words() -> TextGAN:
    return text_gan.build(MODEL, SPEC)


def test_a_search_keeps_each_text_s_own_noise() -> None:
    """Rows of a beam search are reordered; a text must be scored under the noise it has."""
    with seeded(2):
        made = text_gan.build(Model(network="recurrent", embedding=6, hidden=8, latent=4), SPEC)
    network = made.network()
    z = torch.tensor([[9.0, -9.0, 9.0, -9.0], [-9.0, 9.0, -9.0, 9.0]])

    def searched(noise: torch.Tensor) -> list[list[int]]:
        step, state = reading(network, len(noise), noise)
        found = decode_texts(
            step, state, len(noise), 5, torch.Generator(), strategy=Strategy(beams=8)
        )
        return [[t for t in row if t != PAD] for row in found.tolist()]

    assert searched(z) == searched(z[:1]) + searched(z[1:])


@pytest.mark.parametrize("network", ["lstm", "gru", "transformer", "recurrent", "mlp"])
def test_straight_through_texts_are_drawn_from_the_generator_s_own_distribution(
    network: str,
) -> None:
    """Each token is the largest of its logits, as :meth:`step` has them, plus Gumbel noise."""
    latent = 4 if network in NOISY else 0
    with seeded(4):
        section = Model(network=network, embedding=6, hidden=8, latent=latent)
        generator = make_generator(section, SPEC).requires_grad_(False)
    z = draw_noise(latent, 3, torch.Generator().manual_seed(5), torch.device("cpu"))
    fake = Gumbel(TRAIN, 5).draw(generator, 3, 0.7, torch.Generator().manual_seed(0), z)
    assert fake.z is z
    random, state = torch.Generator().manual_seed(0), generator.start(3, z)
    read = torch.full((3,), BOS)
    for drawn in fake.tokens[:5]:
        logits, state = generator.step(read, state, z)
        logits[:, [PAD, BOS]] = -torch.inf
        noise = -torch.log(-torch.log(torch.rand(logits.shape, generator=random)))
        wanted = torch.where(drawn == PAD, drawn, (logits + noise).argmax(-1))
        assert torch.equal(drawn, wanted)
        read = drawn
