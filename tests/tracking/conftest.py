"""A project folder with a tiny model and its evaluation, tracked in a database of its own."""

from __future__ import annotations

import copy
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genline.core.files import write_json, write_text
from genline.evaluation.items import Items

Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def untracked_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No tracking URI or DVC variable leaks in from outside, or out of a test."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DVC_ROOT", "DVC_STAGE"):
        monkeypatch.setenv(name, "")  # so that what a test sets is undone
        monkeypatch.delenv(name)
    yield
    if "mlflow" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)
        sys.modules["mlflow"].set_registry_uri(None)


@pytest.fixture(scope="session")
def ready_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty MLflow database: making its tables takes seconds, a copy none."""
    from genline.tracking.store import Store, connect

    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    connect(Store(f"sqlite:///{database}", database))
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.read_bytes()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready_database: bytes) -> Path:
    """An empty project folder, made the current one."""
    folder = tmp_path / "my project"  # a space, as people's folders have
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(ready_database)
    write_text(
        folder / "params.yaml",
        "seed: 1\ndatasets: {digits: {prepare: {split: hash}}}\n"
        "experiments:\n  tiny-vae:\n    register: {metric: fid, margin: 0.0}\n",
    )
    monkeypatch.chdir(folder)
    return folder


def save_tiny_model(folder: Path, seed: int = 0) -> str:
    """A small untrained image VAE in ``folder``; returns its digest."""
    from genline.data.prepared import ImageSpec
    from genline.models.image_vae import build
    from genline.models.image_vae.config import Model
    from genline.models.initialisation import seeded
    from genline.models.store import save_model

    section = Model(
        network="conv",
        width=4,
        blocks=0,
        latent=2,
        likelihood="binomial",
        pixels="mean",
        gmm_components=[2],
    )
    spec = ImageSpec(channels=1, height=8, width=8, levels=17, classes=0)
    with seeded(seed):
        model = build(section, spec)
    return save_model(folder, "image_vae", section, spec, model.state_dict())


@pytest.fixture
def tiny_model() -> Callable[..., str]:
    return save_tiny_model


_EVALUATION: dict[str, Any] = {
    "experiment": "tiny-vae",
    "dataset": "digits",
    "family": "image_vae",
    "kind": "image",
    "digests": {"model": "0" * 64, "data": "d" * 64, "evaluator": "e" * 64, "protocol": "p" * 64},
    "metrics": {
        "fid": {
            "title": "FID",
            "value": 2.0,
            "standard_error": 0.051,
            "low": 1.9,
            "high": 2.1,
            "count": 540,
            "floor": 0.5,
            "unit": "",
            "better": "lower",
            "interval": "bootstrap over samples",
            "about": "Distance between features of samples and of real images.",
            "floor_low": 0.4,
            "floor_high": 0.6,
            "left_out": [],
        },
        "kl": {
            "title": "KL | a <digit>",
            "value": 16.9,
            "standard_error": 0.2,
            "low": 16.5,
            "high": 17.3,
            "count": 540,
            "floor": None,
            "unit": "nats",
            "better": "none",
            "interval": "bootstrap over items",
            "about": "Information that the latent carries.",
            "floor_low": None,
            "floor_high": None,
            "left_out": [],
        },
    },
    "health": {
        "posterior_collapse": {"passed": True, "reason": "KL is 16.9 nats, above 1"},
        "mode_drop": {"passed": True, "reason": "all 10 classes are drawn"},
    },
    "temperature_sweep": [],
}


@pytest.fixture
def evaluation() -> Evaluate:
    """Builds a record: ``fid=(value, low, high)``, digests and a failed check as keywords."""

    def build(
        fid: tuple[float, float, float] = (2.0, 1.9, 2.1), failed: str = "", **digests: str
    ) -> dict[str, Any]:
        record = copy.deepcopy(_EVALUATION)
        record["metrics"]["fid"] |= dict(zip(("value", "low", "high"), fid, strict=True))
        record["metrics"]["fid"]["standard_error"] = (fid[2] - fid[1]) / 3.92
        record["digests"] |= digests
        if failed:
            record["health"][failed] = {"passed": False, "reason": "a figure too low"}
        return record

    return build


@pytest.fixture
def register_stage(project: Path, evaluation: Evaluate) -> Callable[..., dict[str, Any]]:
    """Writes a model and its record as the stages do, and runs ``genline register``.

    ``nats``: what the model needs for every image beside what makes that image hard.
    """

    def register(seed: int = 0, nats: float | None = None, **record: Any) -> dict[str, Any]:
        from genline.core.files import read_json
        from genline.stages.register import run

        digest = save_tiny_model(project / "models/tiny-vae", seed)
        made = evaluation(model=digest, **record)
        columns = {}
        if nats is not None:
            columns["nll"] = nats + np.random.default_rng(0).gamma(2.0, 20.0, 500)
            value = float(columns["nll"].mean())
            made["metrics"]["nll"] = made["metrics"]["fid"] | {"title": "NLL", "value": value}
        items = Items("dimensions", np.full(500, 64), columns)
        write_text("reports/items/tiny-vae.csv", items.to_csv())
        write_json("reports/evaluation/tiny-vae.json", made)
        run("tiny-vae")
        promotion: dict[str, Any] = read_json("reports/promotion/tiny-vae.json")
        return promotion

    return register
