"""The suite: what it reports for a GAN, a VAE, and for models that have gone wrong."""

import numpy as np
import pytest
import torch

from genline.core.errors import ModelError
from genline.data.prepared import pad_texts
from genline.evaluation.intervals import jackknife_error
from genline.evaluation.text import suite
from genline.evaluation.text.config import EvaluateTexts
from genline.evaluation.text.floors import draw_sets

CPU = torch.device("cpu")
PARAMS = EvaluateTexts(
    samples=200, ngram_order=3, importance_samples=4, temperatures=[0.5, 1.0], shown=5
)


@pytest.fixture(scope="module")
def judged(texts, evaluator, untouched_random_words):
    return suite.evaluate(untouched_random_words, evaluator, texts, PARAMS, 0, CPU)


def repeating(model, row):
    """The same model, giving the tokens ``row`` as every sample."""

    def sample(count, generator, variant=None, temperature=1.0):
        return torch.tensor(pad_texts([np.array(row)])[:, 1:]).expand(count, -1)

    model.sample = sample
    return model


def test_a_gan_is_shown_beside_its_control(judged):
    for name in ("frechet_embedding_distance", "perplexity", "bleu_3", "copied"):
        assert judged.metrics[f"{name}_control"].title.endswith("(control)")
        assert name in judged.metrics
    versus = judged.metrics["frechet_embedding_distance_vs_control"]
    assert versus.low < 0 < versus.high  # both draw from one distribution
    assert [row["temperature"] for row in judged.temperature_sweep] == [0.5, 1.0]


def test_at_temperature_one_the_sweep_has_the_controls_own_figures(judged):
    row = judged.temperature_sweep[1]
    for name in ("forward_perplexity", "reverse_perplexity", "frechet_embedding_distance"):
        assert row[name] == judged.metrics[f"{name}_control"].value


def test_every_interval_holds_its_value_and_every_floor_is_finite(judged):
    for name, metric in judged.metrics.items():
        assert metric.low - 1e-9 <= metric.value <= metric.high + 1e-9, name
        assert metric.finite and metric.about.endswith("."), name


def test_the_same_call_gives_the_same_findings(judged, random_words, evaluator, texts):
    assert suite.evaluate(random_words, evaluator, texts, PARAMS, 0, CPU) == judged


def test_a_collapsed_vae_is_found_out(deaf_vae, evaluator, texts):
    found = suite.evaluate(deaf_vae, evaluator, texts, PARAMS, 0, CPU)
    assert not found.health["posterior_collapse"].passed
    assert found.temperature_sweep == []
    same = found.metrics["lm_perplexity"].value
    assert found.metrics["perplexity"].value == pytest.approx(same, rel=1e-6)
    assert next(iter(found.metrics)) == "perplexity"


def test_a_model_that_says_one_thing_fails_for_its_lack_of_variety(random_words, evaluator, texts):
    found = suite.evaluate(repeating(random_words, [5, 6, 7]), evaluator, texts, PARAMS, 0, CPU)
    assert not found.health["repetition"].passed
    assert not found.health["low_variety"].passed
    assert found.metrics["self_bleu_2"].value == pytest.approx(1.0)
    assert found.metrics["unique"].value == 1 / PARAMS.samples


def test_a_model_that_recites_the_training_split_fails_for_memorisation(
    random_words, evaluator, texts
):
    train = texts.split("train")

    def sample(count, generator, variant=None, temperature=1.0):
        chosen = torch.randperm(len(train), generator=generator)[:count].numpy()
        return torch.tensor(train.batch(chosen)[:, 1:])

    random_words.sample = sample
    found = suite.evaluate(random_words, evaluator, texts, PARAMS, 0, CPU)
    assert not found.health["memorisation"].passed
    assert found.metrics["copied"].value == 1.0
    floor = found.metrics["frechet_embedding_distance"].floor
    assert found.metrics["frechet_embedding_distance"].low <= floor
    assert found.metrics["frechet_embedding_distance"].high >= floor


def test_a_model_that_says_nothing_is_judged_all_the_same(random_words, evaluator, texts):
    found = suite.evaluate(repeating(random_words, []), evaluator, texts, PARAMS, 0, CPU)
    assert found.metrics["ngram_divergence_1"].value == 1.0
    assert found.metrics["distinct_2"].value == found.metrics["bleu_2"].value == 0.0
    assert not found.health["repetition"].passed


def test_the_lists_shown_are_readable_texts(deaf_vae, random_words, texts):
    lists = suite.shown(random_words, texts, 5, 0, CPU)
    assert set(lists) == {"samples", "samples_control", "real"}
    assert all(len(lines) == 5 and all(lines) for lines in lists.values())
    again = suite.shown(deaf_vae, texts, 5, 0, CPU)
    originals = [pair.split("\t")[0] for pair in again["reconstructions"]]
    assert originals == again["real"]


def test_a_model_that_cannot_decode_a_given_z_is_named(random_words, texts):
    with pytest.raises(ModelError, match=r"RandomWords has no decode"):
        suite.reconstruct(random_words, texts.split("test"), CPU)


def test_likelihoods_are_kept_text_by_text(judged, deaf_vae, evaluator, texts):
    test = texts.split("test")
    items = judged.items
    assert set(items.nats) == {"nll", "nll_control"}
    assert items.sizes.tolist() == (test.lengths + 1).tolist()
    everything = np.arange(len(test))
    for name in ("perplexity", "perplexity_control"):
        found = items.statistic(name)(everything)
        assert found == pytest.approx(judged.metrics[name].value, rel=1e-12)
    vae = suite.evaluate(deaf_vae, evaluator, texts, PARAMS, 0, CPU)
    assert set(vae.items.nats) == {"nll", "elbo"}
    for name in ("nll", "elbo", "perplexity", "perplexity_bound"):
        found = vae.items.statistic(name)(everything)
        assert found == pytest.approx(vae.metrics[name].value, rel=1e-12)


def test_errors_over_samples_and_over_test_texts_add_up(judged):
    for name in ("frechet_embedding_distance", "reverse_perplexity"):
        metric = judged.metrics[name]
        assert len(metric.left_out) == 25
        assert metric.standard_error > jackknife_error(metric.left_out) > 0


def test_floors_are_the_same_for_every_model(judged, deaf_vae, evaluator, texts):
    other = suite.evaluate(deaf_vae, evaluator, texts, PARAMS, 1, CPU).metrics
    for name, metric in other.items():
        if metric.floor is not None:
            mine = judged.metrics[name]
            assert (metric.floor, metric.floor_low) == (mine.floor, mine.floor_low)
            assert metric.floor_low <= metric.floor <= metric.floor_high, name


def test_real_texts_that_the_judge_never_saw_stand_beside_as_many_that_it_saw(judged, texts):
    unseen = judged.metrics["unseen_frechet_embedding_distance"]
    assert unseen.count == len(texts.split("valid"))
    # The judge was not fitted at all, so neither is nearer.
    assert unseen.floor_low < unseen.value < unseen.floor_high
    assert unseen.floor > judged.metrics["frechet_embedding_distance"].floor  # fewer texts


def test_the_training_texts_of_floors_are_shared_only_where_they_must():
    random = np.random.default_rng(0)
    apart = np.concatenate(draw_sets(100, 25, 4, random))
    assert sorted(apart) == list(range(100))
    for chosen in draw_sets(100, 60, 4, random):
        assert len(set(chosen.tolist())) == 60
    assert len(draw_sets(50, 50, 4, random)) == 1
