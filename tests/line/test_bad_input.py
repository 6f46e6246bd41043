"""Bad input: one line that says what, where and what would be right; nothing that was good lost."""

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest
import yaml
from clones import Clone

pytestmark = pytest.mark.line


def refused(clone: Clone, *command: str, **environment: str) -> str:
    """The one line with which a command refuses."""
    run = clone.run(*command, check=False, **environment)
    assert run.status != 0, run.text
    assert len(run.error_lines) == 1, run.text
    return run.error_lines[0]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("experiments.digits-vae.train.stepz", 5, "did you mean 'steps'?"),
        ("experiments.digits-vae.train.steps", 0, "experiments.digits-vae.train.steps is 0"),
        ("experiments.digits-vae.train.steps", "many", "is 'many'"),
        ("experiments.digits-vae.dataset", "digitz", "did you mean 'digits'?"),
        ("experiments.digits-vae.dataset", "docstrings", "holds texts"),
        ("experiments.digits-vae.family", "image_vea", "did you mean 'image_vae'?"),
        ("datasets.digits.kind", "imagge", "did you mean 'image'?"),
        ("datasets.digits.source.name", "digit", "did you mean 'digits'?"),
        ("runtime.device", "gpu", "runtime.device is 'gpu'"),
        ("runtime.thread", 1, "did you mean 'threads'?"),
        ("seed", -1, "seed is -1"),
        ("sead", 1, "did you mean 'seed'?"),
    ],
)
def test_a_wrong_key_or_value_is_refused_before_anything_runs(
    line: Clone, key: str, value: object, words: str
) -> None:
    line.set(key, value)
    before = sorted((line.path / "models").rglob("*"))
    text = refused(line, "genline", "train", "digits-vae")
    assert "params.yaml" in text
    assert words in text
    assert sorted((line.path / "models").rglob("*")) == before


def test_an_unknown_experiment_offers_the_nearest(line: Clone) -> None:
    assert "did you mean 'digits-vae'?" in refused(line, "genline", "train", "digit-vae")


def test_a_failed_expectation_stops_the_line_and_loses_nothing(line: Clone) -> None:
    suite = line.path / "data/expectations/digits.yaml"
    content = yaml.safe_load(suite.read_text())
    content["expectations"].append(
        {
            "type": "expect_column_values_to_be_between",
            "column": "mean",
            "min_value": 0,
            "max_value": 6.0,
            "severity": "fail",
        }
    )
    suite.write_text(yaml.safe_dump(content))
    before = (line.path / "reports/promotion/digits-vae.json").read_bytes()
    run = line.run("dvc", "repro", check=False)
    assert run.status != 0
    assert run.stages == ["validate@digits"]
    (text,) = run.error_lines
    assert "expect_column_values_to_be_between" in text
    assert "mean" in text
    assert "digits.csv.gz" in text
    result = json.loads((line.path / "data/validated/digits/result.json").read_text())
    assert result["success"] is False
    assert (line.path / "reports/promotion/digits-vae.json").read_bytes() == before
    line.run("git", "checkout", "-q", "--", "data")
    line.run("dvc", "checkout", "-q", "--force")
    assert line.run("dvc", "repro").stages == []


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00", b"1,2,3\n"])
def test_a_broken_raw_file_is_named(line: Clone, content: bytes) -> None:
    raw = line.path / "data/raw/digits/digits.csv.gz"
    raw.unlink()  # a hard link into the cache must not be written through
    raw.write_bytes(content)
    assert "digits.csv.gz" in refused(line, "genline", "validate", "digits")


def test_a_silent_mlflow_server_stops_only_the_registration(line: Clone) -> None:
    with socket.socket() as taken:  # listens and never answers
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        before = (line.path / "reports/promotion/digits-vae.json").read_bytes()
        text = refused(line, "genline", "register", "digits-vae", MLFLOW_TRACKING_URI=uri)
        assert uri in text
        assert (line.path / "reports/promotion/digits-vae.json").read_bytes() == before
        run = line.run("genline", "evaluate", "digits-vae", MLFLOW_TRACKING_URI=uri)
        assert sum("MLflow" in row for row in run.text.splitlines()) == 1


def test_a_port_in_use_is_named(line: Clone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in refused(line, "genline", "ui", "--port", port)


@pytest.mark.parametrize("stage", ["prepare digits", "train digits-vae", "evaluate digits-vae"])
def test_no_room_to_write_is_one_line(line: Clone, stage: str) -> None:
    # A limit on file size stands for a full disk: the write fails in the same place.
    done = line.run("genline", *stage.split(), check=False, file_bytes=4096)
    said = [row for row in done.err.splitlines() if row.startswith("genline ")]
    assert done.status != 0
    assert len(said) == 1, done.err
    assert "bug" not in said[0]


def test_a_damaged_model_is_named_and_can_be_brought_back(line: Clone) -> None:
    weights = line.path / "models/digits-vae/model.safetensors"
    good = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(good[: len(good) // 2])
    assert "model.safetensors" in refused(line, "genline", "sample", "digits-vae", "-o", "x.png")
    line.run("dvc", "checkout", "-q", "--force", "models/digits-vae")
    assert weights.read_bytes() == good


def test_a_damaged_database_is_named_and_kept(line: Clone, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"not a database" * 100)
    uri = f"sqlite:///{database}"
    text = refused(line, "genline", "register", "digits-vae", MLFLOW_TRACKING_URI=uri)
    assert "mlflow.db" in text
    assert database.read_bytes() == b"not a database" * 100


def test_two_trainings_of_one_experiment_do_not_mix(line: Clone, tmp_path: Path) -> None:
    shutil.rmtree(line.path / ".genline", ignore_errors=True)
    line.set("experiments.digits-vae.train.steps", 100000)
    first = line.start("genline", "train", "digits-vae", folder=tmp_path)
    try:
        first.wait_for("\n")  # its first line of progress: it holds the lock
        assert "already" in refused(line, "genline", "train", "digits-vae")
    finally:
        os.kill(first.number, signal.SIGKILL)
        assert first.wait().status == -signal.SIGKILL
