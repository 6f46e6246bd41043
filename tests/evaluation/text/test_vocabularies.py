"""A model judged on data of another vocabulary: by strings, normalised over the same ones."""

import math

import numpy as np
import pytest
import torch

from genline.core.errors import ModelError
from genline.data.prepared import EOS, PAD, UNK, TextSpec
from genline.data.tokenizer import TextTokenizer
from genline.evaluation.text import suite, vocabularies
from genline.evaluation.text.config import EvaluateTexts
from genline.evaluation.text.ngram_table import pack
from genline.evaluation.text.vocabularies import Language, lower_end
from genline.models.base import GenerativeModel
from genline.models.evaluators.language_model import build

CPU = torch.device("cpu")
COMMON = ["the", "a", "red", "blue", "green", "cat", "dog"]
WORDS = [*COMMON, "bird", "sees", "likes", "old", "young", "house", "tree"]  # those of ``texts``
LONGEST = 8
PARAMS = EvaluateTexts(samples=2000, ngram_order=2, importance_samples=2, temperatures=[1.0])
GONE, NEW = ("tree", "house"), ("car", "moon")  # of the present vocabulary, and of the model's
OWN = [word for word in WORDS if word not in GONE] + list(NEW)
END = 0.4


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Writes a tokenizer of texts to a file of its own, as a model folder has it."""
    folder = tmp_path_factory.mktemp("vocabularies")

    def write(texts, max_tokens=LONGEST, kind="word"):
        file = folder / f"{len(list(folder.iterdir()))}.json"
        file.write_text(TextTokenizer.train(texts, 40, kind).to_json())
        return Language(file, max_tokens)

    return write


class Unigram(GenerativeModel):
    """Words drawn one by one, ``chances`` by word, until an end mark of probability END."""

    def __init__(self, own, chances):
        super().__init__()
        self.p = torch.zeros(own.tokenizer.size, dtype=torch.float64)
        for word, chance in chances.items():
            [(index,)] = own.tokenizer.encode([word])
            self.p[index] = chance * (1 - END)
        self.p[EOS] = END

    def sample(self, count, generator, variant=None, temperature=1.0):
        drawn = torch.multinomial(self.p, count * 60, replacement=True, generator=generator)
        rows = drawn.view(count, 60)
        ended = (rows == EOS).cumsum(1)
        return torch.where((ended > 1) | ((ended == 1) & (rows != EOS)), PAD, rows)

    def log_probability(self, x, variant=None):
        counted = x[:, 1:]
        return torch.where(counted == PAD, 0.0, self.p.clamp_min(1e-300).log()[counted]).sum(1)


def chances(words):
    return {word: (1 + place) / sum(range(1, len(words) + 1)) for place, word in enumerate(words)}


@pytest.fixture(scope="module")
def judged(texts, evaluator, written):
    own = written([" ".join(OWN)] * 2, 60)
    model = Unigram(own, chances(OWN))
    return vocabularies.evaluate(model, own, evaluator, texts, PARAMS, 0, CPU)


def words_of(texts):
    tokenizer, test = TextTokenizer.load(texts.tokenizer_file), texts.split("test")
    return [tokenizer.decode(test[i]).lower().split() for i in range(len(test))]


def test_texts_that_the_model_cannot_spell_are_left_out_and_counted(judged, texts):
    readable = [i for i, words in enumerate(words_of(texts)) if not set(words) & set(GONE)]
    assert 0 < len(readable) < len(texts.split("test"))
    assert judged.items.part.tolist() == readable
    assert judged.items.total == judged.vocabulary.total == len(texts.split("test"))
    assert judged.vocabulary.texts == judged.metrics["perplexity"].count == len(readable)


def test_the_likelihood_is_that_of_a_text_given_what_the_present_vocabulary_spells(judged, texts):
    share = chances(OWN)
    shared = sum(share[word] for word in OWN if word not in NEW)
    # Σ over lengths k of (shared · (1 − END))^k · END: all words are of the present vocabulary,
    # and there are no more than its texts have.
    ratio = shared * (1 - END)
    spelled = END * (1 - ratio ** (LONGEST + 1)) / (1 - ratio)
    assert judged.vocabulary.samples == pytest.approx(spelled, abs=0.05)
    given = lower_end(judged.vocabulary.samples, PARAMS.samples)
    assert given < judged.vocabulary.samples
    every = words_of(texts)
    for place, nats in zip(judged.items.part, judged.items.nats["nll"], strict=True):
        words = every[place]
        log_p = sum(math.log(share[w] * (1 - END)) for w in words) + math.log(END)
        assert nats == pytest.approx(-log_p + math.log(given), rel=1e-6)


def test_nats_add_up_to_the_perplexity_of_the_same_tokens(judged, texts):
    lengths = texts.split("test").lengths[judged.items.part]
    assert judged.items.sizes.tolist() == (lengths + 1).tolist()
    value = math.exp(judged.items.nats["nll"].sum() / judged.items.sizes.sum())
    assert judged.metrics["perplexity"].value == pytest.approx(value)


def test_distances_are_of_samples_in_the_words_of_the_judge(judged, texts):
    distance = judged.metrics["frechet_embedding_distance"]
    assert distance.finite
    assert distance.count == min(PARAMS.samples, len(texts.split("train")))
    assert len(distance.left_out) == 25  # groups of all test texts, as the candidate's


def test_samples_are_the_models_own_given_that_they_can_be_spelled(written):
    own, present = written([" ".join(OWN)] * 2, 60), written([" ".join(WORDS)] * 2, 60)
    model = vocabularies.translated(Unigram(own, chances(OWN)), own, present, {"model": 0.0})
    drawn = suite.draw(model, 4000, 0, "model")
    assert UNK not in drawn.tokens
    shared = {w: c for w, c in chances(OWN).items() if w not in NEW}
    counts = np.bincount(drawn.tokens, minlength=present.tokenizer.size)
    for word, chance in shared.items():
        [(index,)] = present.tokenizer.encode([word])
        wanted = chance / sum(shared.values())
        error = math.sqrt(wanted * (1 - wanted) / counts.sum())
        assert counts[index] / counts.sum() == pytest.approx(wanted, abs=5 * error)
    assert counts[:4].sum() == 0


def another_order(texts, written):
    """The same words with other numbers."""
    own = written([" ".join(WORDS * 2), " ".join(COMMON)])
    present = TextTokenizer.load(texts.tokenizer_file)
    places = [int(present.encode([w])[0][0]) for w in WORDS]
    mine = [int(own.tokenizer.encode([w])[0][0]) for w in WORDS]
    assert places != mine
    return own, dict(zip(mine, places, strict=True))


def test_words_with_other_numbers_have_the_same_likelihoods(texts, evaluator, written):
    own, _ = another_order(texts, written)
    params = PARAMS.model_copy(update={"samples": 100})
    present = Language(texts.tokenizer_file, LONGEST)
    direct = suite.evaluate(
        Unigram(present, chances(WORDS)), evaluator, texts, params, 0, CPU
    ).items.nats["nll"]
    other = Unigram(own, chances(WORDS))
    found = vocabularies.evaluate(other, own, evaluator, texts, params, 0, CPU)
    assert found.vocabulary.texts == len(texts.split("test"))
    given = math.log(lower_end(found.vocabulary.samples, 100))
    assert found.items.nats["nll"] == pytest.approx(direct + given, rel=1e-6)


def test_a_vae_is_judged_by_its_bounds_alike(texts, evaluator, deaf_vae, written):
    own, numbers = another_order(texts, written)
    network = build(_evaluator_params(), TextSpec(own.tokenizer.size, LONGEST))
    state = evaluator.state_dict()
    for name in ("embedding.weight", "bias"):
        rows = state[name].clone()
        for mine, theirs in numbers.items():
            rows[mine] = state[name][theirs]
        state = {**state, name: rows}
    network.load_state_dict(state)
    vae = type(deaf_vae)(network.requires_grad_(False).eval(), texts.spec)
    params = PARAMS.model_copy(update={"samples": 100})
    found = vocabularies.evaluate(vae, own, evaluator, texts, params, 0, CPU)
    given = math.log(lower_end(found.vocabulary.samples, 100))
    assert set(found.items.nats) == {"nll", "elbo"}
    wanted = evaluator.nats(texts.split("test")) + given
    for nats in found.items.nats.values():
        assert nats == pytest.approx(wanted, rel=1e-5)


def _evaluator_params():
    from genline.models.evaluators.config import TextEvaluator

    return TextEvaluator(embedding=8, hidden=8, steps=1, batch=8, learning_rate=0.01, dropout=0.5)


def test_texts_longer_than_a_language_allows_cannot_be_spelled(written):
    assert (
        written([" ".join(WORDS)] * 2, 2).spell(["red cat", "the red cat", "red moon", None])[1:]
        == [None] * 3
    )
    assert written([" ".join(WORDS)] * 2, 2).spell(["red cat"])[0] is not None


def test_a_text_with_an_unknown_word_kept_in_it_stands_for_no_string(written):
    both = written([" ".join(WORDS)] * 2)
    test = pack([both.tokenizer.encode(["red cat"])[0], np.array([UNK])])
    places, texts = vocabularies.shared_texts(test, both, both)
    assert places.tolist() == [0]
    assert texts[0].tolist() == test[0].tolist()


def test_a_model_with_too_few_words_in_common_is_not_judged(texts, evaluator, written):
    few = written([" ".join(WORDS[:3])] * 2)
    with pytest.raises(ModelError, match=r"it can spell \d+ of 120 test texts, too few"):
        model = Unigram(few, chances(WORDS[:3]))
        vocabularies.evaluate(model, few, evaluator, texts, PARAMS, 0, CPU)


def test_a_model_that_mostly_says_what_cannot_be_spelled_is_not_judged(texts, evaluator, written):
    own = written([" ".join([*WORDS, *NEW])] * 2)
    model = Unigram(own, {**dict.fromkeys(WORDS, 0.001), "moon": 1 - 0.001 * len(WORDS)})
    with pytest.raises(ModelError, match=r"of its samples [34]\d% can be spelled"):
        vocabularies.evaluate(model, own, evaluator, texts, PARAMS, 0, CPU)


class UniformOverTokens(GenerativeModel):
    """Any character with the same chance, END for the end mark; its samples come from a list."""

    def __init__(self, own, sentences):
        super().__init__()
        self.size, self.rows = own.tokenizer.size, own.tokenizer.encode(sentences)

    def sample(self, count, generator, variant=None, temperature=1.0):
        rows = torch.full((count, 1 + max(map(len, self.rows))), PAD)
        for place in range(count):
            ids = torch.tensor(self.rows[place % len(self.rows)])
            rows[place, : len(ids)] = ids
            rows[place, len(ids)] = EOS
        return rows

    def log_probability(self, x, variant=None):
        tokens = (x[:, 1:] != PAD).sum(1) - 1
        return (tokens * math.log((1 - END) / self.size) + math.log(END)).double()


def test_finer_tokens_are_compared_by_the_present_count_of_a_text(texts, evaluator, written):
    """A champion that writes characters: its nats are of the string, not of its many tokens."""
    tokenizer, test = TextTokenizer.load(texts.tokenizer_file), texts.split("test")
    sentences = [tokenizer.decode(test[place]) for place in range(len(test))]
    own = written(sentences, 200, "character")
    params = PARAMS.model_copy(update={"samples": 100})
    model = UniformOverTokens(own, sentences[:20])
    found = vocabularies.evaluate(model, own, evaluator, texts, params, 0, CPU)
    assert found.items.sizes.tolist() == (test.lengths + 1)[found.items.part].tolist()
    assert found.metrics["perplexity_per_word"].count == found.vocabulary.texts
    given = math.log(lower_end(found.vocabulary.samples, 100))
    for place, nats in zip(found.items.part, found.items.nats["nll"], strict=True):
        letters = len(own.tokenizer.encode([sentences[place]])[0])
        assert letters >= test.lengths[place]
        log_p = letters * math.log((1 - END) / model.size) + math.log(END)
        assert nats == pytest.approx(given - log_p, rel=1e-6)


def test_the_lower_end_is_wilsons():
    # Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0.
    assert lower_end(81 / 263, 263) == pytest.approx(0.2553, abs=5e-5)
    assert lower_end(0.0, 20) == pytest.approx(0.0, abs=1e-12)
