from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from finished_project import (
    CURVE,
    USED,
    differences,
    finish,
    fresh_mlflow,
    shown,
    trained,
    write_inputs,
    write_lock,
)

from genline.core.errors import TrackingError
from genline.core.files import read_json, write_json, write_text
from genline.tracking import actions
from genline.tracking.decisions import append
from genline.tracking.runs import training_run
from genline.tracking.sqlite_books import SqliteBooks
from genline.tracking.store import connect, resolve
from genline.tracking.sync import sync

NAME = "tiny-vae"
BETTER, WORSE = (1.0, 0.9, 1.1), (3.0, 2.9, 3.1)


@pytest.fixture
def life(project, evaluation, tiny_model):
    """Runs the stages of an experiment, each as it tells MLflow; returns the model's digest."""

    def live(seed: int = 0, name: str = NAME, **record) -> str:
        from genline.stages.register import run

        data = write_inputs(NAME, "other-vae")
        digest = tiny_model(Path("models") / name, seed)
        with trained(name, data, digest):
            pass
        write_lock(name, f"md5-of-{seed}.dir")
        found = evaluation(model=digest, data=data, **record) | {"experiment": name}
        finish(name, found)
        run(name)
        return digest

    return live


def synced(*names: str):
    return {s.experiment: s for s in sync(names or (NAME,))}


def alias(name="champion", model=NAME):
    found = connect(resolve()).get_registered_model(model).aliases.get(name)
    return None if found is None else str(found)


def dump() -> list[str]:
    with sqlite3.connect(resolve().database) as database:
        return list(database.iterdump())


def artifacts() -> dict[str, tuple[int, bytes]]:
    paths = [p for p in resolve().artifacts.rglob("*") if p.is_file()]
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in paths}


def test_an_empty_mlflow_becomes_what_the_one_that_saw_it_all_shows(life, ready_database):
    life()
    seen = shown()
    fresh_mlflow(ready_database)
    assert any("version 1" in added for added in synced()[NAME].added)
    assert shown() == seen, differences(seen, shown())


def test_a_second_time_changes_nothing_at_all(life, ready_database):
    life()
    fresh_mlflow(ready_database)
    synced()
    before, held = dump(), artifacts()
    again = synced()[NAME]
    assert (again.added, again.notes) == ((), ())
    assert dump() == before
    assert artifacts() == held


def test_what_the_stages_told_is_not_told_again(life):
    """Nor is what is longer than MLflow keeps."""
    life(failed="mode_drop")
    path = f"reports/evaluation/{NAME}.json"
    evaluation = read_json(path)
    evaluation["health"]["mode_drop"]["reason"] = "far " * 3000
    write_json(path, evaluation)
    synced()
    before, held = dump(), artifacts()
    assert synced()[NAME].added == ()
    assert dump() == before
    assert artifacts() == held


def test_a_training_without_mlflow_is_added_afterwards(life, monkeypatch, ready_database):
    with monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        with pytest.raises(TrackingError):  # registering is MLflow's own business
            life()
    done = synced()[NAME]
    assert done.added[0] == "run"
    [run] = shown()["runs"]
    assert run["metrics"]["train/loss"] == [(1, "10"), (2, "3.333333")]
    assert run["status"] == "FINISHED"
    assert shown()["models"] == {}  # nothing was decided, so nothing is registered


def test_a_run_that_mlflow_lost_sight_of_is_completed_and_not_doubled(
    project, evaluation, tiny_model
):
    """The server goes away after the first row: the run stays RUNNING, without a model."""
    data = write_inputs(NAME)
    digest = tiny_model(Path("models") / NAME)
    script = (
        "import os, sys, json\n"
        "from genline.tracking.runs import training_run\n"
        f"with training_run('{NAME}', 'digits', '{data}', {USED!r}, 'r' * 64) as run:\n"
        f"    run.row({CURVE[0]!r})\n"
        "    run.flush()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], timeout=120)
    assert [r["status"] for r in shown()["runs"]] == ["RUNNING"]
    write_lock(NAME)
    finish(NAME, evaluation(model=digest, data=data))
    [run] = shown()["runs"]
    assert run["status"] == "FINISHED"
    assert run["metrics"]["train/loss"] == [(1, "10"), (2, "3.333333")]


def test_a_cut_off_run_of_other_figures_is_another_training(life):
    with pytest.raises(RuntimeError), training_run(NAME, "digits", "d", USED, "q" * 64) as run:
        run.row({"step": 1.0, "loss": 99.0})
        raise RuntimeError
    life()
    assert [r["status"] for r in shown()["runs"]] == ["FAILED", "FINISHED"]


def test_killed_runs_do_not_stay_running(life):
    life()
    client = connect(resolve())
    place = client.get_experiment_by_name("digits").experiment_id
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = os.uname().nodename
    for process in (f"{host}:{ended.pid}", f"{host}:{os.getppid()}", "elsewhere:1"):
        tags = {"genline.experiment": NAME, "genline.process": process}
        client.create_run(place, tags=tags, run_name=process)
    assert "1 dead run closed" in synced()[NAME].added
    status = {r["name"]: r["status"] for r in shown()["runs"]}
    assert status[f"{host}:{ended.pid}"] == "KILLED"
    assert status[f"{host}:{os.getppid()}"] == "RUNNING"  # alive
    assert status["elsewhere:1"] == "RUNNING"  # another machine's, and lately begun


def test_another_machines_run_that_is_silent_for_a_day_is_closed(life):
    life()
    client = connect(resolve())
    place = client.get_experiment_by_name("digits").experiment_id
    tags = {"genline.experiment": NAME, "genline.process": "elsewhere:1"}
    client.create_run(place, tags=tags, run_name="old", start_time=1_000_000)
    synced()
    assert {r["name"]: r["status"] for r in shown()["runs"]}["old"] == "KILLED"


def test_a_rejected_model_is_restored_as_challenger_and_nothing_is_champion(life, ready_database):
    life()
    life(seed=1, fid=WORSE)
    fresh_mlflow(ready_database)
    done = synced()[NAME]
    assert (alias("champion"), alias("challenger")) == (None, "1")
    assert any("neither here nor in the registry" in note for note in done.notes)


def test_a_registration_that_was_cut_before_the_alias_is_completed(life, monkeypatch):
    from mlflow import MlflowClient

    from genline.stages.register import run

    life()
    client = connect(resolve())
    life(seed=1, fid=BETTER)
    client.set_registered_model_alias(NAME, "champion", "1")  # as if it had been killed before
    assert "champion → version 2" in synced()[NAME].added
    assert alias() == "2"
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", lambda *a: 1 / 0)
    with pytest.raises(TrackingError):
        run(NAME)


def test_a_registry_that_has_gone_on_is_left(life):
    life()
    kept = {path: Path(path).read_bytes() for path in ("reports/promotion/tiny-vae.json",)}
    old = read_json("reports/evaluation/tiny-vae.json")
    life(seed=1, fid=BETTER)
    assert alias() == "2"
    # Another clone, at the commit before.
    life_files(kept, old)
    done = synced()[NAME]
    assert alias() == "2"
    assert any("is left" in note for note in done.notes)


def life_files(kept, evaluation) -> None:
    from conftest import save_tiny_model

    save_tiny_model(Path("models") / NAME, 0)
    write_json(f"reports/evaluation/{NAME}.json", evaluation)
    for path, content in kept.items():
        Path(path).write_bytes(content)


def test_what_a_person_decided_holds_until_the_files_decide_anew(life, ready_database):
    first = life()
    second = life(seed=1, fid=BETTER)
    append(
        {
            "experiment": NAME,
            "action": "rollback",
            "model": first,
            "previous": second,
            "seen": second,
            "who": "Ann",
            "when": "2030-01-01T00:00:00+00:00",
            "reason": "its digits look wrong",
        }
    )
    fresh_mlflow(ready_database)
    done = synced()[NAME]
    assert alias() is None  # the first model's files are not here, and the second was set aside
    assert any(first[:12] in note for note in done.notes)


def test_a_rollback_from_a_clone_with_older_files_is_not_undone(life, monkeypatch):
    first = life()
    life(seed=1, fid=BETTER)
    monkeypatch.setattr(actions, "_seen", lambda name: first)
    actions.rollback(NAME, "odd")
    done = synced()[NAME]
    assert alias() == "1"
    assert any("version 2 is set aside on" in note for note in done.notes)


def test_files_that_do_not_fit_together_are_said_and_not_shown(life, tiny_model):
    life()
    tiny_model(Path("models") / NAME, 7)
    done = synced()[NAME]
    assert any("evaluation is of other weights" in note for note in done.notes)
    assert len(shown()["models"][NAME]["versions"]) == 1


def test_without_the_weights_runs_are_shown_and_the_pull_is_named(life, ready_database):
    life()
    (Path("models") / NAME / "model.safetensors").unlink()
    fresh_mlflow(ready_database)
    done = synced()[NAME]
    assert any("dvc pull" in note for note in done.notes)
    assert len(shown()["runs"]) == 1
    assert shown()["models"] == {}


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (f"models/{NAME}/model.safetensors", "cut", "damaged"),
        (f"reports/evaluation/{NAME}.json", "{", "not valid JSON"),
        (f"reports/training/{NAME}.csv", "step,loss\n1,x\n", "not a training curve"),
    ],
)
def test_a_damaged_file_stops_its_experiment_alone(life, capsys, path, content, message):
    from genline.stages.sync import run

    life()
    life(name="other-vae")
    write_text(path, content)
    with pytest.raises(TrackingError, match=f"{NAME}: not brought up to date"):
        run()
    lines = capsys.readouterr().out.splitlines()
    assert message in next(line for line in lines if line.startswith(f"{NAME}: "))
    assert any(line.startswith("other-vae: ") for line in lines)


def test_an_absent_server_is_one_line(life, monkeypatch):
    life()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match="does not answer"):
        synced()


def test_a_failure_half_way_is_gone_on_from(life, monkeypatch, ready_database):
    """At each call that writes: whatever stands then, the next time completes it, nothing twice."""
    from mlflow import MlflowClient

    life()
    synced()
    whole = shown()
    for owner, method in (
        *((SqliteBooks, name) for name in ("begin", "log", "put_input", "put_files", "set_status")),
        *((MlflowClient, name) for name in ("create_registered_model", "create_model_version")),
        *((MlflowClient, name) for name in ("update_model_version", "set_registered_model_alias")),
    ):
        fresh_mlflow(ready_database)
        with monkeypatch.context() as patch:
            original = getattr(owner, method)

            def answer_lost(self, *arguments, original=original, **named):
                original(self, *arguments, **named)
                raise OSError("the answer was lost")

            patch.setattr(owner, method, answer_lost)
            with pytest.raises(TrackingError, match="run `genline sync` again"):
                synced()
        synced()
        assert shown() == whole, method + differences(whole, shown())
        assert synced()[NAME].added == (), method


def test_sync_ends_an_interrupted_process_cleanly(life, ready_database):
    """TERM while it works leaves no lock that a later one waits for."""
    life()
    fresh_mlflow(ready_database)
    script = (
        "import os, signal\n"
        "from genline.tracking.sqlite_books import SqliteBooks\n"
        "SqliteBooks.begin = lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM)\n"
        "from genline.cli import main\n"
        "from genline import parameters\n"
        "parameters.check = lambda: None\n"
        "import sys; sys.exit(main(['sync']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 130, done.stderr
    assert synced()[NAME].failure is None
