"""The likelihoods of test items and their file."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.core.errors import DataError
from genline.evaluation.items import Items, column_of, read_items

nats = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.integers(1, 99), nats, nats), max_size=9))
def test_what_is_written_is_read_again_to_the_last_digit(rows):
    items = Items(
        "tokens",
        np.array([r[0] for r in rows], np.int64),
        {"nll": np.array([r[1] for r in rows]), "elbo": np.array([r[2] for r in rows])},
    )
    again = Items.from_csv(items.to_csv())
    assert again.same_items(items)
    assert list(again.nats) == ["nll", "elbo"]
    for name, values in items.nats.items():
        assert np.array_equal(again.nats[name], values)


def test_a_row_is_an_item_of_the_test_split():
    items = Items("tokens", np.array([3, 7]), {"nll": np.array([1.5, 2.0])})
    assert items.to_csv() == "item,tokens,nll\n0,3,1.5\n1,7,2.0\n"


def test_a_part_of_the_split_says_which_and_of_how_many():
    items = Items(
        "tokens", np.array([3, 7]), {"nll": np.array([1.5, 2.0])}, np.array([1, 4]), total=6
    )
    assert items.to_csv() == "item of 6,tokens,nll\n1,3,1.5\n4,7,2.0\n"
    again = Items.from_csv(items.to_csv())
    assert again.places.tolist() == [1, 4]
    assert again.to_csv() == items.to_csv()
    assert again.at(np.array([4])).nats["nll"].tolist() == [2.0]


def test_a_part_is_of_the_same_split_where_the_sizes_of_what_both_have_agree():
    whole = Items("tokens", np.array([5, 3, 5]))
    assert Items("tokens", np.array([3]), {}, np.array([1]), 3).same_items(whole)
    assert whole.same_items(Items("tokens", np.array([5, 5]), {}, np.array([0, 2]), 3))
    assert not whole.same_items(Items("tokens", np.array([4]), {}, np.array([1]), 3))
    assert not whole.same_items(Items("tokens", np.array([3]), {}, np.array([1]), 4))
    assert not whole.same_items(Items("tokens", np.array([5, 3])))


def test_each_metric_is_its_function_of_the_nats():
    items = Items("dimensions", np.full(2, 4), {"nll": np.array([2.0, 6.0])})
    every = np.arange(2)
    assert items.statistic("nll")(every) == 4.0
    assert items.statistic("bits_per_dimension")(every) == pytest.approx(1 / math.log(2))
    texts = Items("tokens", np.array([1, 3]), {"nll_control": np.array([1.0, 9.0])})
    assert texts.statistic("perplexity_control")(every) == pytest.approx(math.exp(2.5))
    assert texts.statistic("perplexity") is None
    assert items.statistic("fid") is None


@pytest.mark.parametrize(
    ("metric", "column"),
    [
        ("perplexity_bound", "elbo"),
        ("perplexity_control", "nll_control"),
        ("elbo", "elbo"),
        ("lm_perplexity", None),
        ("reverse_perplexity", None),
        ("fid", None),
    ],
)
def test_a_likelihood_metric_is_known_by_its_name(metric, column):
    assert column_of(metric) == column


@pytest.mark.parametrize(
    "content",
    [
        "item of 2,tokens\n1,3\n0,3\n",
        "item of 2,tokens\n2,3\n",
        "",
        "item,words,nll\n0,3,1.0\n",
        "item,tokens,nll\n1,3,1.0\n",
        "item,tokens,nll\n0,3\n",
    ],
)
def test_another_file_is_refused_by_name(tmp_path, content):
    file = tmp_path / "E.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=r"E\.csv: cannot be read"):
        read_items(file)
