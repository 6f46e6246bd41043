from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from finished_project import USED, finish, trained, write_inputs, write_lock

from genline.core.errors import GenlineError, ModelError
from genline.core.files import digest_bytes, write_text
from genline.stages import lineage as stage
from genline.tracking.lineage import trace
from genline.tracking.store import connect, resolve

NAME = "tiny-vae"
WORSE = (3.0, 2.9, 3.1)
IDENTITY = ("-c", "user.name=n", "-c", "user.email=e@example.org")


def git(*command: str) -> str:
    done = subprocess.run(["git", *command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(project):
    """A project in git whose tree is dirty: a changed parameter, a new module."""
    write_inputs(NAME)
    write_text(".gitignore", "/mlflow*\n/mlartifacts/\n/data/\n/models/\n/.genline/\n")
    write_text("requirements.lock", "torch==2.13.0\nnumpy==2.4.6 ; python_version > '3'\n")
    git("init", "-q")
    git("add", ".")
    git(*IDENTITY, "commit", "-qm", "first")
    return project


@pytest.fixture
def live(repository, evaluation, tiny_model):
    def run_stages(seed: int = 0, **record) -> str:
        from genline.stages.register import run

        digest = tiny_model(Path("models") / NAME, seed)
        data = write_inputs(NAME)
        write_text("src/module.py", f"seed = {seed}\n")
        with trained(NAME, data, digest):
            pass
        write_lock(NAME, f"md5-of-{seed}.dir")
        finish(NAME, evaluation(model=digest, data=data, **record))
        run(NAME)
        return digest

    return run_stages


def test_everything_a_model_came_from_is_told(live):
    first = live()
    digest = live(seed=1, fid=WORSE)
    found = trace(f"{NAME}@challenger")
    assert found.model == digest
    assert (found.experiment, found.dataset) == (NAME, "digits")
    assert (found.version, found.aliases) == (f"{NAME}/2", ("challenger",))
    assert found.params["train.steps"] == str(USED["train"]["steps"])
    assert found.packages["torch"].startswith("2.13.0")
    assert found.packages_from == "as they were installed"
    assert found.recipe == "r" * 64
    assert set(found.digests) == {"data", "evaluator", "protocol"}
    assert found.validation == {
        "success": True,
        "items": 9,
        "expectations": 1,
        "failed": [],
        "source": {"name": "digits"},
    }
    assert found.code.commit == git("rev-parse", "HEAD")
    assert found.code.dirty
    assert b"+seed = 1" in found.code.patch
    assert found.metrics["fid"]["value"] == 3.0
    assert (found.metrics["fid"]["low"], found.metrics["fid"]["high"]) == (2.9, 3.1)
    assert found.decision["decision"] == "challenger"
    assert found.decision["against"] == first
    assert found.compared_with == f"{NAME}/1"


def test_the_patch_that_was_kept_is_the_one_named(live):
    live()
    [run] = [r for r in runs() if r.data.tags.get("genline.patch")]
    name, digest = run.data.tags["genline.patch"].split()
    assert name == "pipeline/patch.diff"
    assert digest_bytes(trace(f"{NAME}@champion").code.patch) == digest


def runs():
    client = connect(resolve())
    return client.search_runs([client.get_experiment_by_name("digits").experiment_id])


def test_version_run_and_folder_name_the_same_model(live):
    live()
    by_alias = trace(f"{NAME}@champion")
    assert trace(NAME) == trace(f"{NAME}/1") == trace(f"models/{NAME}") == by_alias
    assert trace(str(by_alias.run)) == trace(f"models:/{NAME}/1") == by_alias


def test_a_person_s_decision_is_told(live):
    from genline.tracking import actions

    live()
    live(seed=1, fid=WORSE)
    actions.promote(f"{NAME}/2", "a reviewer prefers it")
    assert trace(f"{NAME}/2").people[0]["reason"] == "a reviewer prefers it"
    assert trace(f"{NAME}/1").people == trace(f"{NAME}/2").people


def test_a_folder_has_a_lineage_where_mlflow_has_none(live):
    digest = live()
    known = trace(f"models/{NAME}")
    git("add", "dvc.lock", "reports", "src")
    git(*IDENTITY, "commit", "-qm", "Run the line")
    write_text("later.txt", "x")
    git("add", "later.txt")
    git(*IDENTITY, "commit", "-qm", "Later")
    for path in Path().glob("mlflow.db*"):
        path.unlink()
    found = trace(f"models/{NAME}")
    assert found.model == digest
    assert (found.run, found.version) == (None, None)
    # The commit that brought this model into dvc.lock holds its code and parameters.
    assert found.code.commit == git("rev-parse", "HEAD~1")
    assert not found.code.dirty
    assert found.packages == {"torch": "2.13.0", "numpy": "2.4.6"}
    assert found.params == known.params
    assert found.digests == known.digests
    assert found.validation == known.validation
    assert found.metrics["fid"]["value"] == known.metrics["fid"]["value"]


def test_it_is_told_in_lines_and_as_json(live, capsys):
    digest = live()
    capsys.readouterr()
    stage.run(f"{NAME}@champion", False)
    said = capsys.readouterr().out
    for text in (digest, f"{NAME}/1 (champion)", "train.steps: 3", "fid: 2 [1.9, 2.1], floor 0.5"):
        assert text in said
    stage.run(f"{NAME}@champion", True)
    value = json.loads(capsys.readouterr().out)
    assert value["model"] == digest
    assert value["code"]["patch_bytes"] > 100


def test_what_is_unknown_is_one_line_with_the_nearest_names(live):
    live()
    for name, message in (
        ("tiny-vea@champion", "did you mean 'tiny-vae'"),
        (f"{NAME}@champoin", "did you mean 'champion'"),
        (f"{NAME}/2", "no version '2' of tiny-vae; known: tiny-vae/1"),
        (f"{NAME}/x", "no version 'x'"),
        ("f" * 32, "no run"),
        ("models/tiny-vea", "no such folder; did you mean 'tiny-vae'"),
        ("./nowhere/at/all", "no such folder"),
    ):
        with pytest.raises(ModelError, match=message) as caught:
            trace(name)
        assert "\n" not in str(caught.value)


def test_cut_short_weights_are_one_line(project, tiny_model):
    tiny_model(Path("models") / NAME)
    path = Path(f"models/{NAME}/model.safetensors")
    whole = path.read_bytes()
    for keep in (0, 3, 7, 100, -5):
        path.write_bytes(whole[:keep])
        with pytest.raises(ModelError, match=r"safetensors: damaged .*`dvc checkout") as caught:
            trace(f"models/{NAME}")
        assert "\n" not in str(caught.value)


def test_weights_with_a_flipped_bit_are_on_no_record(live):
    live()
    path = Path(f"models/{NAME}/model.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no record of these weights"):
        trace(f"models/{NAME}")


def test_a_folder_without_a_model_is_one_line(project, tiny_model):
    tiny_model(Path("models") / NAME)
    Path("models/empty").mkdir()
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        trace("models/empty")
    write_text(f"models/{NAME}/config.json", "{")
    with pytest.raises(GenlineError, match="not valid JSON"):
        trace(f"models/{NAME}")


def test_it_answers_in_time_whatever_is_being_done_to_params(live):
    """1.5 s on a quiet machine; here its own processor time, which others do not change."""
    live()
    write_text("params.yaml", "experiments: {")
    script = (
        "import time, sys\n"
        "from genline.cli import main\n"
        "assert main(['lineage', 'tiny-vae@champion', '--json']) == 0\n"
        "print(time.process_time(), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert float(done.stderr) < 0.6
