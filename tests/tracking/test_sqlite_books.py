"""Books written without MLflow are, to MLflow, as if it had written them itself."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys

import pytest

from genline.core.errors import TrackingError
from genline.tracking import sqlite_books
from genline.tracking.books import Input, Point
from genline.tracking.mlflow_books import MlflowBooks
from genline.tracking.sqlite_books import SqliteBooks, open_books
from genline.tracking.store import connect, resolve

TAGS = {"genline.experiment": "tiny-vae", "mlflow.user": "ann", "long": "x" * 9000}


def write(books, folder):
    """Every way of writing, in either books; the run's id."""
    place = books.place("digits")
    assert books.place("digits") == place == books.known("digits")
    books.offer(place, "view", "first")
    books.offer(place, "view", "second")
    run = books.begin(place, "first name", TAGS)
    assert run.status == "RUNNING"
    books.log(run.run_id, [Point("loss", 3.0, 2), Point("loss", 5.0, 1), Point("kl", math.nan, 1)])
    books.log(run.run_id, [Point("loss", 2.0, 1), Point("high", math.inf, 0)])
    books.log(run.run_id, params={"train.steps": "3", "model.note": "y" * 5000})
    books.log(run.run_id, tags={"mlflow.runName": "second name", "long": "short"})
    for _ in range(2):
        books.put_input(run.run_id, Input("digits", "d" * 12, "data/prepared/digits"))
    (folder / "below").mkdir(parents=True, exist_ok=True)
    (folder / "below/a.txt").write_text("a")
    books.put_files(run.run_id, folder)
    books.set_status(run.run_id, "FINISHED")
    return run.run_id


def rows(database, run_id):
    """All that the tables hold of a run, without ids and times."""
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        found = {}
        for table in ("runs", "tags", "params", "metrics", "latest_metrics"):
            asked = connection.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run_id,))
            found[table] = sorted(str(plain(row)) for row in asked)
        asked = connection.execute(
            "SELECT datasets.*, inputs.*, input_tags.name AS tag, input_tags.value "
            "FROM inputs JOIN datasets ON source_id = dataset_uuid "
            "JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid "
            "WHERE destination_id = ?",
            (run_id,),
        )
        found["inputs"] = [str(plain(row)) for row in asked]
    return found


IDS = {"run_uuid", "dataset_uuid", "input_uuid", "source_id", "destination_id", "artifact_uri"}
TIMES = {"start_time", "end_time", "timestamp"}


def plain(row):
    of = dict(row)
    return {k: v is not None if k in TIMES else v for k, v in of.items() if k not in IDS}


@pytest.fixture
def both(project):
    store = resolve()
    return SqliteBooks(store.database), MlflowBooks(connect(store), store)


def test_the_rows_are_those_that_mlflow_writes(both, tmp_path):
    ids = [write(books, tmp_path / "files") for books in both]
    mine, theirs = (rows(resolve().database, run_id) for run_id in ids)
    assert mine == theirs
    assert len(mine["metrics"]) == 5
    assert len(mine["inputs"]) == 1


def test_what_is_read_is_what_mlflow_reads(both, tmp_path):
    own, mlflows = both
    place = own.place("digits")
    for books in both:
        run_id = write(books, tmp_path / "files")
        mine, theirs = own.run(run_id), mlflows.run(run_id)
        assert math.isnan(dict(mine.metrics).pop("kl"))
        assert {**mine.metrics, "kl": 0} == {**theirs.metrics, "kl": 0}
        for name in ("run_id", "place", "status", "started", "tags", "params", "inputs"):
            assert getattr(mine, name) == getattr(theirs, name), name
        assert own.history(run_id, "loss") == mlflows.history(run_id, "loss")
        assert len(own.history(run_id, "loss")) == 3
    found = [[r.run_id for r in books.runs(place, {"long": "short"})] for books in both]
    assert found[0] == found[1]
    assert len(found[0]) == 2
    assert own.runs(place, {"long": "other"}) == []
    assert own.known("nothing") is mlflows.known("nothing") is None


def test_artifacts_lie_where_mlflow_finds_them(both, tmp_path):
    own, _ = both
    run_id = write(own, tmp_path / "files")
    client = connect(resolve())
    assert [f.path for f in client.list_artifacts(run_id, "below")] == ["below/a.txt"]


def test_an_experiment_comes_out_of_the_bin_with_its_runs(both):
    own, mlflows = both
    place = own.place("digits")
    run = own.begin(place, "one", {})
    connect(resolve()).delete_experiment(place)
    assert own.runs(place, {}) == []
    assert own.place("digits") == place
    assert [r.run_id for r in mlflows.runs(place, {})] == [run.run_id]


def test_what_fails_half_way_leaves_nothing(both):
    own, _ = both
    run = own.begin(own.place("digits"), "one", {})
    with pytest.raises(sqlite3.Error):
        own.log(run.run_id, [Point("loss", 1.0, 1)], params={"a": "b"}, tags={None: "no key"})
    assert own.history(run.run_id, "loss") == []
    assert own.run(run.run_id).params == {}


def test_tables_of_another_version_are_left_to_mlflow(project, monkeypatch):
    assert isinstance(open_books(resolve()), SqliteBooks)
    monkeypatch.setattr(sqlite_books, "_TABLES", ("another",))
    assert isinstance(open_books(resolve()), MlflowBooks)


def test_a_database_that_another_program_holds_is_one_line(project, monkeypatch):
    from genline.tracking import database_file

    monkeypatch.setattr(database_file, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(sqlite_books, "BUSY_SECONDS", 0.1)
    books = open_books(resolve())
    with sqlite3.connect(resolve().database, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            books.place("digits")
        with pytest.raises(TrackingError, match="locked by another program"):
            open_books(resolve())


def test_a_training_imports_no_mlflow(project):
    script = (
        "import sys\n"
        "from genline.tracking.runs import training_run\n"
        "params = {'seed': 1, 'family': 'image_vae'}\n"
        "with training_run('tiny-vae', 'digits', 'd', params, 'r' * 64) as run:\n"
        "    run.row({'step': 1.0, 'loss': 3.0})\n"
        "    run.trained('m' * 64, 1.0, 1)\n"
        "assert run.run_id\n"
        "print([m for m in ('mlflow', 'sqlalchemy', 'pandas', 'numpy') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr
