"""Against a pipeline of two tiny stages, whose weights are a function of code, parameters, data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from genline.core.errors import ModelError
from genline.core.files import digest_bytes, digest_value, write_text
from genline.stages.reproduce import run
from genline.tracking import reproduction
from genline.tracking.lineage import Code, Lineage
from genline.tracking.packages import installed

BIN = Path(sys.executable).parent
PIPELINE = """
stages:
  prepare:
    foreach: [digits]
    do:
      cmd: python src/prepare.py
      deps: [src/prepare.py]
      outs: ["data/prepared/${item}"]
  train:
    foreach: [tiny-vae]
    do:
      cmd: python src/train.py
      deps: [src/train.py, data/prepared/digits]
      params: [seed]
      outs: ["models/${item}"]
"""
PREPARE = """
from pathlib import Path
folder = Path("data/prepared/digits")
folder.mkdir(parents=True)
(folder / "meta.json").write_text('{"counts": 3}')
"""
TRAIN = """
import os
from pathlib import Path
import yaml
seed = yaml.safe_load(Path("params.yaml").read_text())["seed"]
data = Path("data/prepared/digits/meta.json").read_text()
folder = Path("models/tiny-vae")
folder.mkdir(parents=True)
(folder / "model.safetensors").write_text(f"weights of {seed} {data}")
(folder / "config.json").write_text("{}")
assert "reproduce/tiny-vae-" in os.environ["MLFLOW_TRACKING_URI"]
Path(os.environ["COUNT"]).open("a").write("trained ")
"""


def sh(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory):
    """The project after a first run, committed, whose tree was dirty when it ran."""
    folder = tmp_path_factory.mktemp("pipeline") / "a project"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_text("dvc.yaml", PIPELINE)
        write_text("params.yaml", "seed: 1\n")
        write_text("src/prepare.py", PREPARE)
        write_text("src/train.py", TRAIN)
        write_text(".gitignore", "/.genline/\n/mlflow*\n/count\n")
        sh("git", "init", "-q")
        sh("git", "config", "user.name", "n")
        sh("git", "config", "user.email", "e@example.org")
        sh(str(BIN / "dvc"), "init", "-q")
        sh("git", "add", ".")
        sh("git", "commit", "-qm", "first")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def model(pipeline, monkeypatch):
    """``model(seed=…, patch=…)``: the lineage of weights trained with that seed, told by trace."""
    monkeypatch.chdir(pipeline)
    monkeypatch.setenv("COUNT", str(pipeline / "count"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # never asked
    Path("count").write_text("")

    def describe(seed: int = 1, patch: bytes | None = None, **changes) -> str:
        weights = f'weights of {seed} {{"counts": 3}}'.encode()
        known = {
            "model": digest_bytes(weights),
            "experiment": "tiny-vae",
            "dataset": "digits",
            "version": None,
            "aliases": (),
            "run": None,
            "recipe": None,
            "params": {"seed": str(seed)},
            "packages": installed(),
            "packages_from": "",
            "code": Code(sh("git", "rev-parse", "HEAD"), patch is not None, "kept", patch),
            "digests": {"data": digest_value({"counts": 3})},
            "validation": None,
            "metrics": {},
            "health": {},
            "decision": None,
            "compared_with": None,
            "people": (),
        }
        found = Lineage(**(known | changes))
        monkeypatch.setattr(reproduction, "trace", lambda text: found)
        return found.model

    return describe


def places() -> list[str]:
    return [p.name for p in Path(".genline/reproduce").glob("*") if p.is_dir()]


def test_a_model_is_reproduced_and_the_worktree_is_gone(model, capsys):
    digest = model()
    run("models/tiny-vae", keep=False)
    assert f"reproduced, the same digest {digest}" in capsys.readouterr().out
    assert places() == []
    assert sh("git", "worktree", "list").count("\n") == 0
    assert not Path("models").exists()
    assert sh("git", "status", "--porcelain") == ""


def test_it_is_trained_again_even_where_dvc_remembers_the_outcome(model):
    model()
    for _ in range(2):
        run("models/tiny-vae", keep=False)
    assert Path("count").read_text() == "trained trained "


def test_a_patch_is_applied_and_the_worktree_can_be_kept(model):
    write_text("params.yaml", "seed: 5\n")
    patch = subprocess.run(["git", "diff"], capture_output=True, check=True).stdout
    sh("git", "checkout", "-q", "params.yaml")
    digest = model(seed=5, patch=patch)
    run("x", keep=True)
    [place] = places()
    assert place == f"tiny-vae-{digest[:12]}"
    assert Path(".genline/reproduce", place, "params.yaml").read_text() == "seed: 5\n"
    run("x", keep=False)
    assert places() == []


def test_another_outcome_names_what_differs_and_is_kept(model):
    model(seed=2, packages=installed() | {"torch": "1.0.0"}, digests={"data": "d" * 64})
    with pytest.raises(ModelError) as caught:
        run("x", keep=False)
    said = str(caught.value)
    for text in ("torch is ", "was 1.0.0", "the data is ", "was dddddddddddd", "seed is 1, was 2"):
        assert text in said
    assert "\n" not in said
    assert len(places()) == 1


def test_changes_that_were_not_kept_are_named(model):
    code = Code(sh("git", "rev-parse", "HEAD"), True, "not kept: too long", None)
    model(seed=2, code=code, params={})
    with pytest.raises(ModelError, match="changes on top of its commit were not kept"):
        run("x", keep=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": Code(None, False)}, "no commit is on record"),
        ({"code": Code("1" * 40, False)}, "is not in this repository: `git fetch`"),
        ({"dataset": None}, "is on no record"),
        ({"dataset": "other"}, "`dvc repro prepare@other` failed"),
    ],
)
def test_an_origin_that_is_not_known_is_one_line(model, changes, message):
    model(**changes)
    with pytest.raises(ModelError, match=message) as caught:
        run("x", keep=False)
    assert "\n" not in str(caught.value)


def test_a_patch_that_does_not_fit_is_one_line(model):
    model(
        patch=b"diff --git a/nothing b/nothing\n--- a/nothing\n+++ b/nothing\n@@ -1 +1 @@\n-a\n+b\n"
    )
    with pytest.raises(ModelError, match="does not fit commit"):
        run("x", keep=False)
