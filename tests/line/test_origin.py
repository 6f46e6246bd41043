"""One small experiment, really trained: where it came from, whether it comes out again, and its
view in an MLflow that never saw it trained."""

import json
from pathlib import Path

import pytest
import yaml
from clones import Clone, make_clone

pytestmark = pytest.mark.line

NAME = "digits-vae"
MODEL = f"{NAME}/1"  # so little training makes no healthy champion


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Trained from a tree with changes that are in no commit, judged, registered, committed."""
    folder = tmp_path_factory.mktemp("origin")
    clone = make_clone(folder / "project")
    params = yaml.safe_load((clone.path / "params.yaml").read_text())
    params["datasets"].pop("docstrings")
    params["experiments"] = {NAME: params["experiments"][NAME]}
    (clone.path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    clone.run("git", "commit", "-qam", "One experiment")
    clone.run("dvc", "remote", "add", "-q", "-d", "folder", str(folder / "remote"))
    clone.set(f"experiments.{NAME}.train.steps", 32)
    recipe = clone.path / "src/genline/models/image_vae/model.py"
    recipe.write_text(recipe.read_text() + "\n# changed, and not committed\n")
    clone.run("dvc", "repro", f"register@{NAME}")
    return clone


def lineage(clone: Clone, model: str) -> dict:
    found: dict = json.loads(clone.run("genline", "lineage", model, "--json").out)
    return found


def test_a_model_of_a_dirty_tree_is_reproduced_to_the_same_digest(trained: Clone) -> None:
    found = lineage(trained, MODEL)
    assert found["code"]["dirty"]
    assert found["code"]["patch_bytes"] > 100
    assert found["params"]["train.steps"] == "32"
    run = trained.run("genline", "reproduce", MODEL)
    assert f"reproduced, the same digest {found['model']}" in run.out
    assert not list((trained.path / ".genline/reproduce").glob("*/"))


def test_a_machine_that_never_trained_shows_the_same_after_a_pull(
    trained: Clone, tmp_path: Path
) -> None:
    trained.run("git", "add", "-A")
    trained.run("git", "commit", "-qm", "Run the line")
    trained.run("dvc", "push", "-q")
    here = lineage(trained, MODEL)
    other = Clone(tmp_path / "other")
    trained.run("git", "clone", "-q", str(trained.path), str(other.path))
    other.run("dvc", "pull", "-q", "--allow-missing")
    said = other.run("genline", "sync").out
    assert f"{NAME}: added run" in said
    assert "→ version 1" in said
    assert other.run("genline", "sync").out == f"{NAME}: up to date\n"
    there = lineage(other, MODEL)
    same = ("model", "experiment", "dataset", "version", "aliases", "params", "digests")
    same += ("validation", "health", "decision", "metrics")
    assert {k: there[k] for k in same} == {k: here[k] for k in same}
    # It knows the commit that holds code, parameters and result together, and needs no patch.
    assert there["code"]["commit"] == trained.run("git", "rev-parse", "HEAD").out.strip()
    assert not there["code"]["dirty"]
    run = other.run("genline", "reproduce", f"models/{NAME}")
    assert f"reproduced, the same digest {here['model']}" in run.out
