from __future__ import annotations

import subprocess
import sys

import pytest

from genline.tracking.names import DIGEST
from genline.tracking.reading import _Client, open_reader, versions_of
from genline.tracking.store import connect, resolve


@pytest.fixture
def both(register_stage):
    """The reader of the database's tables, and MLflow's own answers in the same form."""
    register_stage()
    register_stage(seed=1, fid=(3.0, 2.9, 3.1))
    client = connect(resolve())
    client.set_registered_model_alias("tiny-vae", "best-so-far", "1")
    client.create_registered_model("empty")
    store = resolve()
    return open_reader(store), _Client(client, store)


def test_the_tables_are_read_as_mlflow_reads_them(both):
    quick, own = both
    assert quick.names() == own.names() == ["empty", "tiny-vae"]
    assert quick.versions("empty") == own.versions("empty") == []
    versions = quick.versions("tiny-vae")
    assert versions == own.versions("tiny-vae")
    assert [v.aliases for v in versions] == [("best-so-far", "champion"), ("challenger",)]
    for version in versions:
        run = quick.run(version.run_id)
        assert run == own.run(version.run_id)
        assert quick.runs_of(version.tags[DIGEST]) == own.runs_of(version.tags[DIGEST]) == [run]
        assert versions_of(quick, version.tags[DIGEST]) == [version]
        content = quick.artifact(run, "evaluation.json")
        assert content
        assert content == own.artifact(run, "evaluation.json")
        assert quick.artifact(run, "nothing.json") is own.artifact(run, "nothing.json") is None
    assert quick.run("0" * 32) is own.run("0" * 32) is None


def test_a_deleted_version_and_a_deleted_run_are_not_read(both):
    quick, own = both
    client = connect(resolve())
    client.delete_model_version("tiny-vae", "2")
    assert quick.versions("tiny-vae") == own.versions("tiny-vae")
    digest = quick.versions("tiny-vae")[0].tags[DIGEST]
    client.delete_run(quick.versions("tiny-vae")[0].run_id)
    assert quick.runs_of(digest) == own.runs_of(digest) == []


def test_reading_imports_neither_mlflow_nor_torch(both):
    script = (
        "import sys\n"
        "from genline.stages.lineage import run\n"
        "run('tiny-vae@champion', False)\n"
        "print([m for m in ('mlflow', 'torch', 'pandas', 'numpy') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
