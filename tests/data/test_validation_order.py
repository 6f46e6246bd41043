"""What is written does not depend on the order of a set, which changes with every process."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys
import pandas
from genline.data.validation.checks import run_suite
from genline.data.validation.suite import read_suite
labels = [f"label{i}" for i in range(60)]
table = pandas.DataFrame({"item": [f"row {i}" for i in range(60)], "label": labels})
print(json.dumps(run_suite(table, read_suite(sys.argv[1], set(table.columns)))))
"""


def test_missing_and_unwanted_values_are_listed_in_one_order(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "expectations:\n"
        "  - type: expect_column_distinct_values_to_equal_set\n"
        "    column: label\n"
        f"    value_set: [{', '.join(f'wanted{i}' for i in range(60))}]\n"
        "    severity: warn\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(suite)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (output,) = outputs
    assert "missing wanted0, wanted1, wanted10" in output
    assert "and 40 more" in output
