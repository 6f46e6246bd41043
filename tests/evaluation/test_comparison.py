"""Two models' figures compared from what is on record."""

import numpy as np
import pytest

from genline.evaluation.comparison import Figure, NotComparableError, difference
from genline.evaluation.intervals import Error, combined, jackknifed, student
from genline.evaluation.items import Items


def of_texts(nats, tokens=None, **more):
    nats = np.asarray(nats, np.float64)
    sizes = np.full(len(nats), 5) if tokens is None else np.asarray(tokens)
    items = Items("tokens", sizes, {"nll": nats} | more)
    value = items.statistic("perplexity")(np.arange(len(nats)))
    spread = float(nats.std(ddof=1) / np.sqrt(len(nats)) / 5 * value)
    return Figure({"value": value, "standard_error": spread}, items)


@pytest.fixture
def hard_and_easy():
    """Texts of which some are many times as hard as others, for any model."""
    return np.random.default_rng(0).gamma(2.0, 10.0, 1000)


def test_a_paired_test_finds_a_small_shift_that_an_unpaired_one_cannot(hard_and_easy):
    better, worse = of_texts(hard_and_easy), of_texts(hard_and_easy + 0.05)
    paired = difference("perplexity", better, worse)
    assert paired.high < 0 and paired.beyond_noise
    assert paired.method == "paired over 1,000 test items"
    unpaired = difference("fid", better, worse)  # the same figures, as if they were a distance
    assert not unpaired.beyond_noise
    assert unpaired.value == paired.value


def test_the_same_likelihoods_differ_by_nothing(hard_and_easy):
    found = difference("perplexity", of_texts(hard_and_easy), of_texts(hard_and_easy))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_same_comparison_has_the_same_interval(hard_and_easy):
    noise = np.random.default_rng(1).normal(size=1000)
    pair = of_texts(hard_and_easy), of_texts(hard_and_easy + noise)
    assert difference("perplexity", *pair) == difference("perplexity", *pair)


def test_swapping_the_two_turns_the_paired_difference_round(hard_and_easy):
    noise = np.random.default_rng(1).normal(size=1000)
    first, second = of_texts(hard_and_easy), of_texts(hard_and_easy + noise)
    there, back = (
        difference("perplexity", first, second),
        difference("perplexity", second, first),
    )
    assert there.value == -back.value
    assert there.low == pytest.approx(-back.high)


@pytest.mark.parametrize("missing", [Figure({"value": 9.0, "standard_error": 1.0}), "column"])
def test_a_likelihood_without_items_on_one_side_is_not_compared(hard_and_easy, missing):
    with_items = of_texts(hard_and_easy)
    if missing == "column":
        missing = Figure(with_items.metric, Items("tokens", with_items.items.sizes))
    for pair in ((with_items, missing), (missing, with_items)):
        with pytest.raises(NotComparableError, match="no perplexity item by item"):
            difference("perplexity", *pair)


def test_likelihoods_of_other_items_are_not_compared(hard_and_easy):
    other = of_texts(hard_and_easy, tokens=np.arange(1, 1001))
    with pytest.raises(NotComparableError, match="of other test items"):
        difference("perplexity", of_texts(hard_and_easy), other)


def test_where_one_side_reads_a_part_both_figures_are_of_that_part(hard_and_easy):
    whole = of_texts(hard_and_easy)
    places = np.arange(0, 1000, 2)
    part = Items("tokens", np.full(500, 5), {"nll": hard_and_easy[places] + 1.0}, places, 1000)
    other = Figure({"value": 1.0, "standard_error": 1.0}, part)
    found = difference("perplexity", whole, other)
    mine = np.exp(hard_and_easy[places].mean() / 5)
    assert found.sides == pytest.approx((mine, mine * np.exp(0.2)))
    assert found.high < 0
    assert found.method == "paired over the 500 test items that both sides can read"
    nothing = Items("tokens", np.zeros(0, np.int64), {"nll": np.zeros(0)}, places[:0], 1000)
    with pytest.raises(NotComparableError, match="no test item has perplexity on both sides"):
        difference("perplexity", whole, Figure(other.metric, nothing))


def test_a_figure_without_a_standard_error_is_not_compared():
    with pytest.raises(NotComparableError, match="no standard error of fid"):
        difference("fid", Figure({"value": 1.0}), Figure({"value": 2.0, "standard_error": 0.1}))


def test_independent_errors_add_up_in_squares():
    first = Figure({"value": 5.0, "standard_error": 0.3})
    second = Figure({"value": 4.0, "standard_error": 0.4})
    found = difference("fid", first, second)
    assert (found.value, found.standard_error) == (1.0, 0.5)
    assert found.low == pytest.approx(1 - 1.959964 * 0.5)


def test_an_unpaired_difference_has_the_degrees_of_freedom_of_welch():
    from scipy.stats import ttest_ind

    random = np.random.default_rng(2)
    groups = random.normal(0, 1, 10), random.normal(0.4, 3, 25)
    first, second = (
        Figure(
            {
                "value": float(x.mean()),
                "standard_error": float(x.std(ddof=1) / np.sqrt(len(x))),
                "degrees": len(x) - 1,
            }
        )
        for x in groups
    )
    found = difference("kid", first, second)
    wanted = ttest_ind(*groups, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def test_the_samples_part_of_an_error_keeps_its_own_degrees_of_freedom():
    # The test items' part is the same on both sides and cancels: what is left is two equal errors
    # of nine degrees of freedom each, which is eighteen together.
    left_out = np.random.default_rng(3).normal(5, 0.1, 25)
    whole = combined(Error(0.3, 9), jackknifed(left_out))
    side = Figure(
        {
            "value": 5.0,
            "standard_error": whole.size,
            "degrees": whole.degrees,
            "left_out": left_out.tolist(),
        }
    )
    found = difference("fid", side, side)
    assert found.standard_error == pytest.approx(0.3 * np.sqrt(2))
    assert found.high == pytest.approx(student(0.0, found.standard_error, 18).high)
