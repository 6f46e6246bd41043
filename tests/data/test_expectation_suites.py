"""Suites: what is refused when they are read, and what they find in bad data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from genline.core.errors import DataError, ParamsError
from genline.data.validation.checks import run_suite
from genline.data.validation.result import describe
from genline.data.validation.suite import expectation_types, read_suite
from genline.data.validation.tables import IMAGE_COLUMNS, TEXT_COLUMNS

COLUMNS = ("item", "label", "max", "digest")
BETWEEN = {
    "type": "expect_column_values_to_be_between",
    "column": "max",
    "min_value": 0,
    "max_value": 16,
    "severity": "fail",
}


def written(path: Path, *entries: Any) -> Path:
    path.write_text(yaml.safe_dump({"expectations": list(entries)}, sort_keys=False))
    return path


def refused(tmp_path: Path, **changes: Any) -> str:
    entry = {k: v for k, v in {**BETWEEN, **changes}.items() if v is not None}
    with pytest.raises(ParamsError) as error:
        read_suite(written(tmp_path / "suite.yaml", entry), COLUMNS)
    return str(error.value)


def outcome(tmp_path: Path, table: pd.DataFrame, **entry: Any) -> dict[str, Any]:
    suite = read_suite(written(tmp_path / "suite.yaml", {"severity": "fail", **entry}), COLUMNS)
    (found,) = run_suite(table, suite)
    json.dumps(found, allow_nan=False)
    return found


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item": [f"row {i}" for i in range(1, 7)],
            "label": [0, 1, 2, 0, 1, 7],
            "max": [16, 16, 40, 16, -2, 16],
            "digest": list("abcdea"),
        }
    )


@pytest.mark.parametrize(
    ("dataset", "columns"), [("digits", IMAGE_COLUMNS), ("docstrings", TEXT_COLUMNS)]
)
def test_the_suites_that_ship_can_be_read(dataset: str, columns: dict[str, str]) -> None:
    root = Path(__file__).parents[2]
    assert len(read_suite(root / f"data/expectations/{dataset}.yaml", columns)) >= 10


def test_types_have_the_names_of_the_documentation() -> None:
    types = expectation_types()
    assert types["expect_column_kl_divergence_to_be_less_than"].__name__ == (
        "ExpectColumnKLDivergenceToBeLessThan"
    )
    assert "expect_column_pair_values_a_to_be_greater_than_b" in types


def test_a_misspelt_type_is_offered_the_nearest(tmp_path: Path) -> None:
    message = refused(tmp_path, type="expect_column_values_to_be_betwen")
    assert "suite.yaml, expectation 1 (expect_column_values_to_be_betwen): unknown type" in message
    assert "did you mean 'expect_column_values_to_be_between'?" in message


def test_a_misspelt_column_is_offered_the_nearest(tmp_path: Path) -> None:
    assert "no column 'lable'; did you mean 'label'?" in refused(tmp_path, column="lable")


@pytest.mark.parametrize("column", [["max"], {"a": 1}, 3])
def test_a_column_that_is_no_name_is_refused(tmp_path: Path, column: Any) -> None:
    assert "wanted the name of a column" in refused(tmp_path, column=column)


def test_a_misspelt_argument_is_offered_the_nearest(tmp_path: Path) -> None:
    message = refused(tmp_path, max_valu=3)
    assert "unknown argument 'max_valu'; did you mean 'max_value'?" in message


def test_a_severity_must_be_given_and_known(tmp_path: Path) -> None:
    assert "severity is empty; wanted fail or warn" in refused(tmp_path, severity=None)
    assert "severity is 'critical'; wanted fail or warn" in refused(tmp_path, severity="critical")


def test_an_argument_of_a_wrong_type_is_named_with_its_value(tmp_path: Path) -> None:
    assert "min_value is 'low'; value is not a valid float" in refused(tmp_path, min_value="low")


def test_an_expectation_without_its_arguments_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, min_value=None, max_value=None)
    assert "min_value and max_value cannot both be None" in message
    assert "no type" in refused(tmp_path, type=None)


@pytest.mark.parametrize("content", ["", "expectations: []", "- a", "expectation: [a]"])
def test_a_file_without_expectations_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(content)
    with pytest.raises(ParamsError, match="no expectations"):
        read_suite(path, COLUMNS)


def test_values_out_of_range_are_counted_and_named(tmp_path: Path, table: pd.DataFrame) -> None:
    found = outcome(tmp_path, table, **BETWEEN)
    assert (found["success"], found["checked"], found["unexpected"]) == (False, 6, 2)
    assert found["offending"] == [{"item": "row 3", "value": 40}, {"item": "row 5", "value": -2}]
    assert describe(found) == (
        "expect_column_values_to_be_between on column 'max' failed (wanted min_value 0, "
        "max_value 16), 2 of 6 items: row 3: 40, row 5: -2"
    )


def test_equal_items_are_both_named(tmp_path: Path, table: pd.DataFrame) -> None:
    found = outcome(tmp_path, table, type="expect_column_values_to_be_unique", column="digest")
    assert [(o["item"], o["same_as"]) for o in found["offending"]] == [
        ("row 1", "row 6"),
        ("row 6", "row 1"),
    ]
    assert describe(found).endswith(
        "2 of 6 items: row 1 is the same as row 6, row 6 is the same as row 1"
    )


def test_a_repeat_is_named_with_the_first_of_its_kind_however_far_it_is(tmp_path: Path) -> None:
    twice = [f"digest {i}" for i in range(300)]
    many = pd.DataFrame({"item": [f"row {i}" for i in range(600)], "digest": twice * 2})
    found = outcome(tmp_path, many, type="expect_column_values_to_be_unique", column="digest")
    assert found["unexpected"] == 600
    assert found["offending"][99]["same_as"] == "row 399"


def test_a_row_count_is_observed(tmp_path: Path, table: pd.DataFrame) -> None:
    found = outcome(tmp_path, table, type="expect_table_row_count_to_be_between", min_value=10)
    assert (found["success"], found["checked"], found["observed"]) == (False, None, 6)
    assert describe(found).endswith("failed (wanted min_value 10), found 6")


def test_missing_and_unwanted_classes_are_told(tmp_path: Path, table: pd.DataFrame) -> None:
    found = outcome(
        tmp_path,
        table,
        type="expect_column_distinct_values_to_equal_set",
        column="label",
        value_set=[0, 1, 2, 3],
    )
    assert found["observed"] == "unwanted 7; missing 3"
    assert found["offending"] == [{"item": "row 6", "value": 7}]


def test_class_balance_is_a_divergence_in_nats(tmp_path: Path, table: pd.DataFrame) -> None:
    even = {"values": [0, 1, 2, 7], "weights": [0.25] * 4}
    entry = {
        "type": "expect_column_kl_divergence_to_be_less_than",
        "column": "label",
        "partition_object": even,
    }
    found = outcome(tmp_path, table, threshold=0.05, **entry)
    assert not found["success"]
    assert found["observed"] == pytest.approx(0.0566, abs=1e-4)  # ln 4 - H(2, 2, 1, 1 of 6)
    assert outcome(tmp_path, table, threshold=0.06, **entry)["success"]
    assert "partition_object equal shares of 0, 1, 2, 7" in describe(found)
    assert describe(found).endswith("), found 0.056633")


def test_a_class_outside_the_partition_is_named(tmp_path: Path, table: pd.DataFrame) -> None:
    found = outcome(
        tmp_path,
        table,
        type="expect_column_kl_divergence_to_be_less_than",
        column="label",
        partition_object={"values": [0, 1, 2], "weights": [0.5, 0.25, 0.25]},
        threshold=0.05,
    )
    assert not found["success"]
    assert "partition_object 0: 50 %, 1: 25 %, 2: 25 %" in describe(found)
    assert describe(found).endswith("), found no finite divergence: the partition lacks 7")


def test_only_the_first_offenders_are_kept_but_all_are_counted(tmp_path: Path) -> None:
    many = pd.DataFrame({"item": [f"row {i}" for i in range(500)], "max": range(500)})
    found = outcome(tmp_path, many, **BETWEEN)
    assert (found["unexpected"], len(found["offending"])) == (483, 100)
    assert describe(found).endswith("483 of 500 items: row 17: 17, row 18: 18, row 19: 19, …")


def test_an_expectation_that_does_not_fit_its_column_is_refused(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    with pytest.raises(DataError, match="on column 'digest' cannot be evaluated"):
        outcome(tmp_path, table, **{**BETWEEN, "column": "digest"})
