"""A small prepared data set of texts, and models small enough to judge in a second."""

import json

import numpy as np
import pytest
import torch

from genline.data.prepared import BOS, EOS, PAD, load_texts
from genline.data.tokenizer import TextTokenizer
from genline.models.base import GenerativeModel, VariationalModel
from genline.models.evaluators.config import TextEvaluator
from genline.models.evaluators.language_model import build
from genline.models.initialisation import seeded

COMMON = ["the", "a", "red", "blue", "green", "cat", "dog"]
WORDS = [*COMMON, "bird", "sees", "likes", "old", "young", "house", "tree"]
LONGEST = 8


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """400 training, 60 validation and 120 test texts of 1 to 8 words, Zipf-like and random."""
    folder = tmp_path_factory.mktemp("prepared")
    random = np.random.default_rng(0)
    tokenizer = TextTokenizer.train([" ".join(WORDS)] * 2, 40)
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    chances = 1 / np.arange(1, len(WORDS) + 1)
    for name, count in (("train", 400), ("valid", 60), ("test", 120)):
        lengths = random.integers(1, LONGEST + 1, count)
        tokens = random.choice(len(WORDS), lengths.sum(), p=chances / chances.sum()) + 4
        np.save(folder / f"{name}_tokens.npy", tokens.astype(np.uint16))
        np.save(folder / f"{name}_offsets.npy", np.concatenate([[0], np.cumsum(lengths)]))
    spec = {"kind": "text", "vocabulary": tokenizer.size, "max_tokens": LONGEST}
    (folder / "meta.json").write_text(json.dumps({"spec": spec}), encoding="utf-8")
    return load_texts(folder)


@pytest.fixture(scope="session")
def evaluator(texts):
    params = TextEvaluator(embedding=8, hidden=8, steps=1, batch=8, learning_rate=0.01, dropout=0.5)
    with seeded(0):
        network = build(params, texts.spec)
    return network.requires_grad_(False).eval()


class RandomWords(GenerativeModel):
    """Random words and the end mark, all alike; the likelihood is that of the uniform model."""

    variants = ("generator", "control")

    def __init__(self, spec):
        super().__init__()
        self.spec = spec

    def sample(self, count, generator, variant=None, temperature=1.0):
        self.check_variant(variant)
        rows = torch.randint(
            EOS + 2, self.spec.vocabulary, (count, LONGEST + 1), generator=generator
        )
        lengths = torch.randint(1, LONGEST + 1, (count, 1), generator=generator)
        place = torch.arange(LONGEST + 1)
        return torch.where(place < lengths, rows, torch.where(place == lengths, EOS, PAD))

    def log_probability(self, x, variant=None):
        counted = (x != PAD) & (x != BOS)
        return -counted.sum(1) * float(np.log(self.spec.vocabulary))


class DeafVae(VariationalModel):
    """A VAE that has collapsed: the posterior is the prior and p(x|z) that of ``network``."""

    variants = ("prior",)
    latent = 3

    def __init__(self, network, spec):
        super().__init__()
        self.network, self.words = network, RandomWords(spec)
        self.words.variants = ("prior",)

    def sample(self, count, generator, variant=None, temperature=1.0):
        return self.words.sample(count, generator, variant, temperature)

    def posterior(self, x):
        return torch.zeros(len(x), self.latent), torch.zeros(len(x), self.latent)

    def log_likelihood(self, x, z):
        nats = -self.network.nll(x).float()
        return nats if z.dim() == 2 else nats.expand(len(z), -1)

    def decode(self, z, generator, temperature=1.0):
        return torch.full((len(z), 2), EOS)


@pytest.fixture(scope="session")
def untouched_random_words(texts):
    return RandomWords(texts.spec)


@pytest.fixture
def random_words(texts):
    """A model that a test may bend."""
    return RandomWords(texts.spec)


@pytest.fixture
def deaf_vae(evaluator, texts):
    return DeafVae(evaluator, texts.spec)
