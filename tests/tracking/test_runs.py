from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genline.core.errors import TrainingStopped
from genline.core.files import write_text
from genline.tracking.runs import evaluated_run, training_run
from genline.tracking.sqlite_books import SqliteBooks
from genline.tracking.store import connect, resolve

PARAMS = {
    "seed": 1,
    "family": "image_vae",
    "model": {"network": "conv", "latent": 2},
    "train": {"steps": 3},
}


def open_run(recipe="r" * 64):
    return training_run("tiny-vae", "digits", "d" * 64, PARAMS, recipe)


def all_runs():
    client = connect(resolve())
    experiment = client.get_experiment_by_name("digits")
    return client.search_runs([experiment.experiment_id]) if experiment else []


def train(model="m" * 64, **named):
    with open_run(**named) as run:
        for step in (1, 2, 3):
            run.row({"step": float(step), "loss": 10.0 / step, "kl": float(step)})
        run.trained(model, seconds=2.0, steps=3)


def test_a_training_leaves_one_finished_run_with_all_that_identifies_it(project, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@tiny-vae")
    train()
    [run] = all_runs()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny-vae mmmmmm"
    assert run.data.params == {
        "seed": "1",
        "family": "image_vae",
        "model.network": "conv",
        "model.latent": "2",
        "train.steps": "3",
    }
    tags = {k: v for k, v in run.data.tags.items() if k.startswith("genline.")}
    tags.pop("genline.process")
    tags.pop("genline.process_started")
    assert tags == {
        "genline.experiment": "tiny-vae",
        "genline.recipe_digest": "r" * 64,
        "genline.data_digest": "d" * 64,
        "genline.model_digest": "m" * 64,
        "genline.stage": "train@tiny-vae",
    }
    [data] = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "d" * 12)


def test_the_curve_arrives_whole_and_in_order(project):
    train()
    [run] = all_runs()
    client = connect(resolve())
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(p.step, p.value) for p in history] == [(1, 10.0), (2, 5.0), (3, 10 / 3)]
    assert run.data.metrics["train/kl"] == 3.0
    assert run.data.metrics["train/steps_per_second"] == 1.5
    names = [a.path for a in client.list_artifacts(run.info.run_id, "pipeline")]
    assert names == ["pipeline/packages.json", "pipeline/params.json"]


def test_the_pipelines_own_files_are_kept_in_slices(project):
    write_text("dvc.yaml", "stages:\n  train: {cmd: genline train}\n  report: {cmd: r}\n")
    write_text(
        "dvc.lock",
        "stages:\n  prepare@digits: {cmd: p}\n  train@tiny-vae: {cmd: t}\n  train@b: {cmd: b}\n",
    )
    train()
    [run] = all_runs()
    client = connect(resolve())
    lock = client.download_artifacts(run.info.run_id, "pipeline/dvc.lock", str(project))
    assert Path(lock).read_text() == (
        "stages:\n  prepare@digits:\n    cmd: p\n  train@tiny-vae:\n    cmd: t\n"
    )


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_an_error_ends_the_run_and_goes_on_up(project, error, status):
    with pytest.raises(error), open_run() as run:
        run.row({"step": 1.0, "loss": 5.0})
        raise error
    [found] = all_runs()
    assert found.info.status == status
    assert found.data.metrics["train/loss"] == 5.0


def test_an_interrupted_training_is_gone_on_with_and_no_step_is_told_twice(project):
    with pytest.raises(KeyboardInterrupt), open_run() as run:
        run.row({"step": 1.0, "loss": 10.0})
        run.row({"step": 2.0, "loss": 5.0})
        raise KeyboardInterrupt
    train()  # tells the rows before its checkpoint again
    [run] = all_runs()
    assert run.info.status == "FINISHED"
    history = connect(resolve()).get_metric_history(run.info.run_id, "train/loss")
    assert [p.step for p in history] == [1, 2, 3]


def test_a_killed_training_is_resumed_and_one_of_another_recipe_is_closed(project):
    script = (
        "import os, signal\n"
        "from genline.tracking.runs import training_run\n"
        "params = {'seed': 1, 'family': 'image_vae'}\n"
        "with training_run('tiny-vae', 'digits', 'd', params, 'r' * 64) as run:\n"
        "    run.row({'step': 1.0, 'loss': 3.0})\n"
        "    run.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], timeout=120)
    [killed] = all_runs()
    assert killed.info.status == "RUNNING"
    tags = {k: v for k, v in killed.data.tags.items() if k.startswith("genline.")}
    tags["genline.recipe_digest"] = "old"
    connect(resolve()).create_run(killed.info.experiment_id, tags=tags)
    train()
    statuses = {r.data.tags["genline.recipe_digest"]: r.info.status for r in all_runs()}
    assert statuses == {"old": "KILLED", "r" * 64: "FINISHED"}
    history = connect(resolve()).get_metric_history(killed.info.run_id, "train/loss")
    assert [p.value for p in history] == [3.0, 5.0, 10 / 3]


def test_a_run_whose_process_lives_is_left_alone(project, monkeypatch):
    with open_run() as first:
        connect(resolve()).delete_tag(first.run_id, "genline.process_started")
        connect(resolve()).set_tag(
            first.run_id, "genline.process", f"{socket.gethostname()}:{os.getppid()}"
        )
        train()
        assert len(all_runs()) == 2
        assert connect(resolve()).get_run(first.run_id).info.status == "RUNNING"


def test_another_process_with_the_number_of_a_dead_one_does_not_keep_its_run(project):
    with open_run() as first:
        tags = {"process": f"{socket.gethostname()}:{os.getppid()}", "process_started": "1000.00"}
        for key, value in tags.items():
            connect(resolve()).set_tag(first.run_id, f"genline.{key}", value)
        train()
        assert len(all_runs()) == 1


@pytest.mark.parametrize(("minutes", "count"), [(1, 2), (11, 1)])
def test_another_hosts_silent_run_is_gone_on_with_after_ten_minutes(project, minutes, count):
    from mlflow.entities import Metric

    then = int((time.time() - minutes * 60) * 1000)
    client = connect(resolve())
    place = client.create_experiment("digits")
    tags = {
        "genline.experiment": "tiny-vae",
        "genline.recipe_digest": "r" * 64,
        "genline.process": "elsewhere:7",
    }
    other = client.create_run(place, tags=tags, start_time=then - 10_000)
    client.log_batch(other.info.run_id, metrics=[Metric("train/loss", 9.0, then, 1)])
    train()
    assert len(all_runs()) == count


def test_a_training_that_stops_itself_to_be_resumed_is_no_failure(project):
    with pytest.raises(TrainingStopped), open_run():
        raise TrainingStopped("stopped at step 1")
    [found] = all_runs()
    assert found.info.status == "KILLED"


def test_a_repeated_training_is_a_run_of_its_own(project):
    train()
    train()
    assert [r.info.status for r in all_runs()] == ["FINISHED", "FINISHED"]


def test_an_evaluation_reopens_the_run_of_its_model(project, evaluation):
    write_text("reports/samples/tiny-vae/samples.txt", "one\n")
    train(model="a" * 64, recipe="other")
    train()
    train(model="b" * 64, recipe="another")
    before = next(r for r in all_runs() if r.data.tags["genline.model_digest"] == "m" * 64)
    record = evaluation(model="m" * 64, failed="mode_drop")
    evaluated_run(record, Path("reports/samples/tiny-vae"))
    assert len(all_runs()) == 3
    run = connect(resolve()).get_run(before.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.end_time == before.info.end_time
    assert run.data.metrics["fid"] == 2.0
    assert run.data.metrics["kl"] == 16.9
    assert run.data.metrics["train/kl"] == 3.0
    assert run.data.tags["genline.health"] == "failed: mode_drop"
    assert run.data.tags["genline.health.posterior_collapse"] == "passed"
    assert "| FID (`fid`) | 2 | 1.9 to 2.1 | 0.5 |" in run.data.tags["mlflow.note.content"]
    artifacts = connect(resolve()).list_artifacts(run.info.run_id)
    assert [a.path for a in artifacts] == ["evaluation.json", "pipeline", "samples"]


def test_an_evaluation_without_its_training_makes_one_run_from_the_record(project, evaluation):
    write_text("reports/samples/tiny-vae/samples.txt", "one\n")
    for _ in range(2):
        evaluated_run(evaluation(), Path("reports/samples/tiny-vae"))
    [run] = all_runs()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny-vae 000000"
    assert run.data.tags["genline.data_digest"] == "d" * 64


def test_without_a_server_training_and_evaluation_go_on_after_one_line(
    tmp_path, monkeypatch, capsys, evaluation
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    began = time.monotonic()
    train()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "http://127.0.0.1:9 does not answer" in said
    assert "no result is lost" in said
    evaluated_run(evaluation(), tmp_path)
    assert capsys.readouterr().err.count("\n") == 1
    assert time.monotonic() - began < 8
    assert not any(tmp_path.iterdir())


def test_trouble_on_the_way_is_said_once_and_training_goes_on(project, monkeypatch, capsys):
    def fail(*arguments, **named):
        raise OSError("disk full")

    with open_run() as run:
        monkeypatch.setattr(SqliteBooks, "log", fail)
        for step in (1, 2):
            run.row({"step": float(step), "loss": 1.0})
            run.flush()
        run.trained("m" * 64, 1.0, 2)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_damaged_database_does_not_stop_a_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_text("mlflow.db", "not a database")
    train()
    assert "move mlflow.db away" in capsys.readouterr().err
    assert Path("mlflow.db").read_text() == "not a database"


def test_a_row_costs_microseconds(project):
    with open_run() as run:
        began = time.perf_counter()
        for step in range(1000):
            run.row({"step": float(step + 1), "loss": 1.0, "kl": 2.0})
        assert time.perf_counter() - began < 0.1
