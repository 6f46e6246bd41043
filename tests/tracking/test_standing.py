from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from genline.core.errors import TrackingError
from genline.tracking.standing import held

CHAMPION, CHALLENGER = ("tiny-vae", "champion"), ("tiny-vae", "challenger")


def test_what_was_registered_is_found_by_its_alias(register_stage):
    first = register_stage(seed=0)["digests"]["model"]
    assert held([CHAMPION, CHALLENGER]) == {CHAMPION: (first, "1")}
    second = register_stage(seed=1, fid=(2.1, 2.0, 2.2))["digests"]["model"]
    assert held([CHAMPION, CHALLENGER]) == {CHAMPION: (first, "1"), CHALLENGER: (second, "2")}


def test_looking_makes_no_database(project):
    Path("mlflow.db").unlink()
    assert held([CHAMPION]) == {}
    assert not Path("mlflow.db").exists()


def test_a_registry_that_holds_nothing_is_no_error(project):
    assert held([CHAMPION]) == {}


def test_looking_imports_no_mlflow(project):
    import subprocess
    import sys

    code = (
        "import sys; from genline.tracking.standing import held;"
        "held([('tiny-vae', 'champion')]); print('mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_damaged_database_is_one_line(project):
    Path("mlflow.db").write_bytes(b"not a database at all, but long enough to be read as one")
    with pytest.raises(TrackingError, match=r"move mlflow\.db away") as caught:
        held([CHAMPION])
    assert "\n" not in str(caught.value)


def test_nothing_is_told_of_a_version_without_a_digest(register_stage):
    register_stage()
    with sqlite3.connect("mlflow.db") as connection:
        connection.execute("DELETE FROM model_version_tags WHERE key = 'genline.model_digest'")
    assert held([CHAMPION]) == {}
