"""Drift between versions: the figures against closed forms, and which version is the one before."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from genline.core.errors import DataError, ParamsError
from genline.data.validation.drift import compare, drift_table, kl, psi, psi_by_chance
from genline.data.validation.result import validate
from genline.data.validation.suite import read_suite
from genline.data.validation.versions import (
    previous,
    profile,
    read_versions,
    shares,
    write_versions,
)

COUNTS = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=2, max_size=12
)


def items(words: Any, label: str = "a") -> pd.DataFrame:
    values = np.asarray(words)
    return pd.DataFrame(
        {
            "item": [f"row {i}" for i in range(len(values))],
            "label": label,
            "split": "",
            "words": values,
            "digest": [f"{v} {i}" for i, v in enumerate(values.tolist())],
        }
    )


def test_the_index_of_two_bins_is_as_in_its_formula() -> None:
    wanted = 0.25 * math.log(0.75 / 0.5) - 0.25 * math.log(0.25 / 0.5)
    assert psi([10**8, 10**8], [3 * 10**8, 10**8]) == pytest.approx(wanted, rel=1e-6)


@given(COUNTS)
def test_divergences_are_those_of_scipy_and_the_index_is_their_sum(counts: Any) -> None:
    then, now = zip(*counts, strict=True)
    p, q = (np.array(side) + 0.5 for side in (then, now))
    assert kl(then, now) == pytest.approx(entropy(q, p), abs=1e-9)
    assert psi(then, now) == pytest.approx(kl(then, now) + kl(now, then), abs=1e-9)
    assert math.isfinite(psi(then, now))


def test_one_in_a_hundred_pairs_of_samples_goes_beyond_chance() -> None:
    random = np.random.default_rng(3)
    p = np.full(10, 0.1)
    draws = [(random.multinomial(800, p), random.multinomial(2000, p)) for _ in range(3000)]
    beyond = np.mean([psi(a, b) > psi_by_chance(a, b) for a, b in draws])
    assert 0.003 < beyond < 0.02


def test_the_same_items_in_another_order_have_not_drifted() -> None:
    table = items(np.random.default_rng(1).normal(size=500))
    again = table.sample(frac=1, random_state=2)
    assert profile(again)["digest"] == profile(table)["digest"]
    found = drift_table(compare(again, profile(table))).set_index("item")
    assert list(found.index) == ["label", "split", "words"]
    assert (found[["psi", "psi_beyond_chance", "kl"]] == 0).all(axis=None)


def test_a_quantity_that_moved_is_told_and_one_that_did_not_is_within_chance() -> None:
    random = np.random.default_rng(1)
    then, now = (items(random.normal(size=4000)) for _ in range(2))
    then["characters"], now["characters"] = random.normal(0, 1, 4000), random.normal(1, 1, 4000)
    found = drift_table(compare(now, profile(then))).set_index("item")
    # Of two normal distributions a deviation apart: KL 1/2, PSI 1; ten bins lose little of it.
    assert 0.8 < found.loc["characters", "psi"] < 1
    assert 0.38 < found.loc["characters", "kl"] < 0.5
    assert found.loc["words", "psi_beyond_chance"] == 0


def test_new_gone_and_missing_values_have_bins() -> None:
    then, now = items([1, 1, 2]), items([1, 3, 3, None])
    assert shares(profile(then)["columns"]["words"], now["words"]) == ([2, 1, 0], [1, 0, 3])
    many = items([*range(100), None])
    then_counts, now_counts = shares(profile(many)["columns"]["words"], many["words"])
    assert then_counts == now_counts == [10] * 10 + [1]


def test_a_value_that_most_items_share_leaves_fewer_bins() -> None:
    column = profile(items([0] * 900 + list(range(1, 101))))["columns"]["words"]
    assert sum(column["counts"]) == 1000
    assert column["counts"][0] == 900


def test_open_classes_are_counted_by_the_most_frequent() -> None:
    table = items(np.zeros(1000))
    table["label"] = [str(i // 2) for i in range(1000)]
    counts = profile(table)["columns"]["label"]["counts"]
    assert len(counts) == 101
    assert counts["…"] == 800


def test_a_column_of_one_version_alone_is_named() -> None:
    before = profile(items([1, 2]).assign(tokens=[1, 2]))
    assert compare(items([1, 2]), before)["not_compared"] == ["tokens"]


def test_validating_again_compares_with_the_same_version(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    versions = [profile(items(values)) for values in ([1, 2], [3, 4, 5], [6])]
    seen = []
    for number in (0, 0, 1, 1, 1, 2, 1):
        before = previous(read_versions(file), versions[number])
        seen.append(versions.index(before) if before else None)
        write_versions(file, versions[number], before)
    assert seen == [None, None, 0, 0, 0, 1, 2]


def test_another_label_of_the_same_items_is_another_version() -> None:
    assert profile(items([1, 2], "a"))["digest"] != profile(items([1, 2], "b"))["digest"]


@pytest.mark.parametrize("content", ["[]", "{}", '{"last": 3, "before": null}'])
def test_a_record_that_is_none_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "own.json"
    file.write_text(content)
    with pytest.raises(DataError, match=r"own\.json.*restore it from git or delete it"):
        read_versions(file)
    file.write_text("<<<<<<< HEAD\n")
    with pytest.raises(DataError, match="not valid JSON"):
        read_versions(file)


def suite(folder: Path, **drift: Any) -> Path:
    path = folder / "suite.yaml"
    count = {"type": "expect_table_row_count_to_be_between", "min_value": 1, "severity": "fail"}
    entry = {"type": "expect_column_values_to_be_between", "severity": "fail", **drift}
    path.write_text(yaml.safe_dump({"expectations": [count], "drift": [entry]}))
    return path


def test_expectations_of_drift_name_the_columns_and_pass_a_first_version(tmp_path: Path) -> None:
    read = read_suite(suite(tmp_path, column="psi_beyond_chance", max_value=0.1), ["words"])
    old, new = items(np.arange(1000)), items(np.arange(1000) + 500)
    for before, success in ((None, True), (profile(old), False)):
        result = validate("own", "text", {}, new, read, compare(new, before))
        assert result["success"] == success
        assert [o["success"] for o in result["expectations"]] == [True, success]
    offending = result["expectations"][1]["offending"]
    assert [found["item"] for found in offending] == ["words"]
    assert result["expectations"][1]["checked"] == 3


def test_a_drift_expectation_of_no_such_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"drift 1 .*no column 'words'"):
        read_suite(suite(tmp_path, column="words", max_value=1), ["words"])


def test_dvc_leaves_the_record_of_versions_in_place() -> None:
    root = Path(__file__).parents[2]
    outs = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]["validate"]["do"]["outs"]
    assert {"reports/versions/${key}.json": {"cache": False, "persist": True}} in outs
