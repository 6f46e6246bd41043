from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.core.errors import ParamsError
from genline.evaluation.items import Items
from genline.tracking.config import Register
from genline.tracking.gate import Record, decide

FID = Register(metric="fid", margin=0.0)


def record(
    value=2.0,
    half=0.1,
    model="a",
    data="d",
    evaluator="e",
    protocol="p",
    better="lower",
    failed=None,
    name="fid",
):
    metric = {
        "value": value,
        "standard_error": half / 1.959963984540054,
        "low": value - half,
        "high": value + half,
        "better": better,
    }
    health = {"divergence": {"passed": True, "reason": "all figures are finite"}}
    if failed:
        health[failed] = {"passed": False, "reason": "why it failed"}
    digests = {"model": model, "data": data, "evaluator": evaluator, "protocol": protocol}
    return Record(digests, {name: metric}, health)


def test_a_healthy_model_without_a_champion_is_promoted():
    assert decide(record(), None, FID).outcome == "champion"


@pytest.mark.parametrize("champion", [None, record(value=99.0, model="b")])
def test_a_failed_health_check_rejects_however_good_the_figures(champion):
    decision = decide(record(value=0.0, failed="memorisation"), champion, FID)
    assert decision.outcome == "challenger"
    assert decision.reason == "health check failed: memorisation: why it failed"


def test_the_interval_of_the_difference_decides():
    # Two intervals of half-width 3 and 4 give one of half-width 5 for the difference.
    champion = record(value=10.0, half=3.0, model="b")
    assert decide(record(value=4.9, half=4.0), champion, FID).outcome == "champion"
    rejected = decide(record(value=5.1, half=4.0), champion, FID)
    assert rejected.outcome == "challenger"
    assert rejected.reason.startswith("better, but not beyond the noise")
    assert "an improvement of 4.9 (95 % interval -0.1 to 9.9, the two taken as" in rejected.reason


def test_the_margin_comes_on_top_of_the_noise():
    champion = record(value=10.0, half=3.0, model="b")
    asked = Register(metric="fid", margin=1.0)
    rejected = decide(record(value=4.1, half=4.0), champion, asked)
    assert rejected.outcome == "challenger"
    assert rejected.reason.startswith("better, but not by the margin")
    assert decide(record(value=3.9, half=4.0), champion, asked).outcome == "champion"


def test_where_higher_is_better_a_lower_value_is_rejected():
    champion = record(value=0.5, half=0.01, model="b", better="higher")
    assert decide(record(0.6, 0.01, better="higher"), champion, FID).outcome == "champion"
    assert decide(record(0.4, 0.01, better="higher"), champion, FID).outcome == "challenger"


@pytest.mark.parametrize("what", ["data", "evaluator", "protocol"])
def test_figures_from_another_judge_other_data_or_other_counts_are_not_compared(what):
    champion = record(value=9.0, model="b", **{what: "something else"})
    decision = decide(record(), champion, FID)
    assert decision.outcome == "challenger"
    assert not decision.compared
    assert "not comparable" in decision.reason


def test_the_champion_itself_stays_champion_even_when_scored_worse_and_unhealthy():
    champion = record(value=1.0)
    decision = decide(record(value=9.0, failed="mode_drop", data="new"), champion, FID)
    assert decision.outcome == "champion"
    assert decision.reason.startswith("already champion")
    assert "mode_drop" in decision.reason


def test_a_champion_without_the_metric_is_not_overthrown():
    decision = decide(record(), record(model="b", name="kid"), FID)
    assert decision.outcome == "challenger"
    assert "the champion has no fid" in decision.reason


def test_a_diverged_model_without_a_figure_is_rejected_for_its_health():
    diverged = Record(record().digests, {}, record(failed="divergence").health)
    assert decide(diverged, None, FID).reason.startswith("health check failed: divergence")
    assert decide(diverged, record(model="b"), FID).outcome == "challenger"


def test_a_metric_that_was_not_evaluated_is_refused_with_the_nearest():
    with pytest.raises(ParamsError, match="'fidd', which was not evaluated; did you mean 'fid'"):
        decide(record(), None, Register(metric="fidd"))


def test_a_metric_without_a_direction_is_refused():
    with pytest.raises(ParamsError, match="no better direction"):
        decide(record(better="none"), None, FID)


def test_equal_figures_without_noise_keep_the_champion():
    decision = decide(record(half=0.0), record(half=0.0, model="b"), FID)
    assert decision.outcome == "challenger"
    assert decision.reason.startswith("no different")


def test_a_figure_that_is_not_a_number_keeps_the_champion():
    for candidate in (record(value=math.nan), record(half=math.nan)):
        assert decide(candidate, record(value=9.0, model="b"), FID).outcome == "challenger"


numbers = st.floats(-1e3, 1e3)
halves = st.floats(0.001, 1e3)


@given(numbers, halves, numbers, halves)
def test_of_two_models_at_most_one_beats_the_other(a, half_a, b, half_b):
    first, second = record(a, half_a, model="a"), record(b, half_b, model="b")
    outcomes = {decide(first, second, FID).outcome, decide(second, first, FID).outcome}
    assert outcomes != {"champion"}


@given(numbers, halves, halves, st.floats(0, 100))
def test_a_margin_never_promotes_what_was_rejected_without_it(a, half_a, half_b, margin):
    candidate, champion = record(a, half_a), record(0.0, half_b, model="b")
    if decide(candidate, champion, FID).outcome == "challenger":
        asked = Register(metric="fid", margin=margin)
        assert decide(candidate, champion, asked).outcome == "challenger"


def test_of_equally_good_models_few_are_promoted():
    # Both figures are means of 100 draws of the same distribution: the test is one-sided, so
    # 2.5 % of the candidates should pass.
    random = np.random.default_rng(0)
    promoted = 0
    for _ in range(4000):
        draws = random.normal(size=(2, 100))
        means, halves_ = draws.mean(1), 1.96 * draws.std(1, ddof=1) / 10
        candidate = record(means[0], halves_[0])
        champion = record(means[1], halves_[1], model="b")
        promoted += decide(candidate, champion, FID).outcome == "champion"
    assert 0.018 < promoted / 4000 < 0.034


def test_the_error_on_record_decides_and_not_the_interval_as_it_is_shown():
    # An interval cut at zero is half as wide, and says nothing of the error.
    champion = record(value=10.0, half=1.0, model="b")
    champion.metrics["fid"]["high"] = 10.0
    assert decide(record(value=9.0, half=1.0), champion, FID).outcome == "challenger"


PERPLEXITY = Register(metric="perplexity")
HARDNESS = np.random.default_rng(0).gamma(2.0, 10.0, 1000)


def scored(extra, model, with_items=True):
    """A model that needs ``extra`` nats more than another for every text."""
    items = Items("tokens", np.full(1000, 5), {"nll": HARDNESS + extra})
    value = items.statistic("perplexity")(np.arange(1000))
    of = record(value=value, half=5.0, model=model, name="perplexity")
    return Record(of.digests, of.metrics, of.health, items if with_items else None)


def test_a_likelihood_is_compared_item_by_item():
    # The two intervals, ±5 around nearly the same perplexity, overlap almost wholly.
    decision = decide(scored(-0.05, "a"), scored(0.0, "b"), PERPLEXITY)
    assert decision.outcome == "champion"
    assert "paired over 1,000 test items" in decision.reason
    assert decide(scored(0.0, "a"), scored(0.0, "b"), PERPLEXITY).outcome == "challenger"


def test_a_champion_of_another_vocabulary_is_compared_by_what_it_can_spell():
    places = np.arange(0, 1000, 4)
    candidate, champion = scored(-0.05, "a"), scored(0.0, "b")
    items = Items("tokens", np.full(250, 5), {"nll": HARDNESS[places]}, places, 1000)
    common = {"texts": 250, "total": 1000, "samples": 0.931}
    champion = Record(champion.digests, champion.metrics, champion.health, items, common)
    decision = decide(candidate, champion, PERPLEXITY)
    assert decision.outcome == "champion"
    both = np.exp((HARDNESS[places].mean() + np.array([-0.05, 0.0])) / 5)
    assert f"perplexity {both[0]:.4g} against the champion's {both[1]:.4g}" in decision.reason
    assert decision.reason.endswith(
        "the champion has another vocabulary: it can spell 250 of 1,000 test texts, and 93% of its "
        "samples can be spelled in this one; it is judged by these"
    )


@pytest.mark.parametrize("candidate_has_them", [True, False])
def test_a_likelihood_without_items_on_one_side_is_not_compared(candidate_has_them):
    candidate = scored(-5.0, "a", candidate_has_them)
    decision = decide(candidate, scored(0.0, "b", not candidate_has_them), PERPLEXITY)
    assert decision.outcome == "challenger"
    assert decision.reason.startswith("not comparable: one side has no perplexity item by item")
    assert "\n" not in decision.reason
    assert not decision.compared


def test_a_champion_recorded_without_a_standard_error_is_not_compared():
    champion = record(value=9.0, model="b")
    del champion.metrics["fid"]["standard_error"]
    assert decide(record(), champion, FID).reason.startswith("not comparable")
