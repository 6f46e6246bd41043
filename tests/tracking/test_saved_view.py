from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import pytest

from genline.tracking import saved_view
from genline.tracking.sqlite_books import SqliteBooks
from genline.tracking.store import connect, resolve

METRICS = Path(__file__).parents[2] / "reports/metrics"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A client on a fresh store, its books, and the id of an experiment in it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    store = resolve()
    client = connect(store)
    books = SqliteBooks(store.database)
    return client, books, books.place("digits")


def columns(client, experiment):
    """As MLflow's page reads them: JSON, compressed and in base64 behind a prefix."""
    view = json.loads(client.get_experiment(experiment).tags[saved_view.TAG])
    prefix, _, packed = view["state"].partition(";")
    assert prefix == "deflate"
    return json.loads(zlib.decompress(base64.b64decode(packed)))["selectedColumns"]


def test_an_experiment_is_offered_the_metrics_of_its_kind_and_a_changed_view_stays(place):
    client, books, experiment = place
    books.offer(experiment, saved_view.TAG, saved_view.view("image"))
    assert columns(client, experiment)[0] == "metrics.`fid`"
    client.set_experiment_tag(experiment, saved_view.TAG, "a person's")
    books.offer(experiment, saved_view.TAG, saved_view.view("image"))
    assert client.get_experiment(experiment).tags[saved_view.TAG] == "a person's"


@pytest.mark.parametrize(("kind", "names"), [("image", "digits-*"), ("text", "docstrings-*")])
def test_every_column_is_a_metric_that_some_model_has(kind, names):
    found = {
        name for file in METRICS.glob(f"{names}.json") for name in json.loads(file.read_text())
    }
    assert {name for name in saved_view.COLUMNS[kind] if not name.startswith("train/")} <= found
