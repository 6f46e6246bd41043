"""The whole line in a temporary clone: what runs, what does not, and what comes out."""

import csv
import json
import re
from pathlib import Path

import pytest
import yaml
from clones import BIN, ROOT, Clone, Run, copy_tree, make_clone

pytestmark = pytest.mark.line

EXPERIMENTS = ("digits-vae", "digits-gan", "docstrings-vae", "docstrings-gan")
DATASETS = ("digits", "docstrings")
AFTER_TRAINING = ("train", "evaluate", "register")


def downstream(*experiments: str) -> set[str]:
    return {f"{s}@{e}" for s in AFTER_TRAINING for e in experiments} | {"report"}


def test_a_cold_run_runs_every_stage_once(cold: tuple[Clone, Clone, Run]) -> None:
    stages = cold[2].stages
    expected = {
        f"{s}@{d}" for s in ("download", "validate", "prepare", "fit_evaluator") for d in DATASETS
    } | downstream(*EXPERIMENTS)
    assert len(stages) == len(set(stages))
    assert set(stages) == expected


def test_two_clones_end_with_the_same_lock(cold: tuple[Clone, Clone, Run]) -> None:
    assert cold[0].lock() == cold[1].lock()


def test_a_run_with_nothing_changed_runs_no_stage(line: Clone) -> None:
    run = line.run("dvc", "repro")
    assert run.stages == []
    assert "up to date" in run.text


def test_one_changed_parameter_runs_exactly_what_follows_from_it(line: Clone) -> None:
    line.set("experiments.digits-gan.train.steps", 41)
    assert set(line.run("dvc", "repro").stages) == downstream("digits-gan")
    # Undone, nothing is trained again: its model comes out of the cache.
    line.run("git", "checkout", "-q", "--", ".")
    assert "train@digits-gan" not in line.run("dvc", "repro").stages


def test_a_changed_gate_runs_no_training(line: Clone) -> None:
    line.set("experiments.digits-vae.register.margin", 0.125)
    assert set(line.run("dvc", "repro").stages) == {"register@digits-vae", "report"}


@pytest.mark.parametrize(
    ("module", "experiments"),
    [
        ("models/image_gan/config.py", {"digits-gan"}),
        ("training/recipes/text_gan.py", {"docstrings-gan"}),
        ("models/text_vae/config.py", {"docstrings-vae"}),
        ("training/engine/loop.py", set(EXPERIMENTS)),
    ],
)
def test_an_edited_module_makes_only_its_own_experiments_stale(
    line: Clone, module: str, experiments: set[str]
) -> None:
    path = line.path / "src" / "genline" / module
    path.write_text(path.read_text() + "\n# edited\n")
    status = json.loads(line.run("dvc", "status", "--json").out)
    stale = {stage.split("@")[1] for stage in status if stage.startswith("train@")}
    assert stale == experiments


def test_metrics_are_numbers_with_counts_and_intervals(line: Clone) -> None:
    for experiment in EXPERIMENTS:
        metrics = json.loads((line.path / f"reports/metrics/{experiment}.json").read_text())
        assert metrics
        for name, values in metrics.items():
            assert values["count"] > 0, name
            assert values["low"] <= values["value"] <= values["high"], (experiment, name, values)


def test_training_curves_have_a_step_and_a_loss(line: Clone) -> None:
    for experiment in EXPERIMENTS:
        with (line.path / f"reports/training/{experiment}.csv").open() as file:
            rows = list(csv.DictReader(file))
        steps = [float(row["step"]) for row in rows]
        assert steps == sorted(set(steps))
        assert all(row["loss"] for row in rows)


def test_every_experiment_is_registered_with_its_decision(line: Clone) -> None:
    for experiment in EXPERIMENTS:
        promotion = json.loads((line.path / f"reports/promotion/{experiment}.json").read_text())
        evaluation = json.loads((line.path / f"reports/evaluation/{experiment}.json").read_text())
        healthy = all(check["passed"] for check in evaluation["health"].values())
        assert promotion["decision"] == ("champion" if healthy else "challenger")
        assert promotion["reason"]
        assert promotion["digests"]["model"] == evaluation["digests"]["model"]


def test_a_fresh_clone_registers_though_its_records_are_the_same(
    line: Clone, tmp_path: Path
) -> None:
    fresh = Clone(tmp_path / "fresh")
    line.run("git", "clone", "-q", str(line.path), str(fresh.path))
    fresh.run("git", "config", "advice.detachedHead", "false")
    fresh.run("dvc", "cache", "dir", "--local", str(line.path / ".dvc" / "cache"))
    fresh.run("dvc", "checkout", "-q")
    assert set(fresh.run("dvc", "repro").stages) == {f"register@{e}" for e in EXPERIMENTS}
    assert fresh.lock() == line.lock()


def test_outputs_hold_no_path_and_no_date(line: Clone) -> None:
    """They are functions of inputs, so that two clones agree."""
    today = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d")
    for folder in ("data", "models", "reports"):
        for path in (line.path / folder).rglob("*"):
            if path.suffix in {".json", ".md", ".html", ".csv", ".txt"}:
                text = path.read_text()
                assert str(line.path) not in text, path
                if path.suffix == ".json" and "raw" not in path.parts:
                    assert not today.search(text), path


def test_an_experiment_with_a_set_parameter_can_be_run_and_shown(line: Clone) -> None:
    key = "experiments.digits-vae.train.steps"
    run = line.run("dvc", "exp", "run", "--name", "shorter", "-S", f"{key}=31")
    assert set(run.stages) == downstream("digits-vae")
    shown = line.run("dvc", "exp", "show", "--json").out
    assert "shorter" in shown
    difference = json.loads(line.run("dvc", "params", "diff", "--json").out)
    assert difference["params.yaml"][key] == {"old": 30, "new": 31, "diff": 1}
    metrics = json.loads(line.run("dvc", "metrics", "diff", "--json").out)
    assert "fid.value" in metrics["reports/metrics/digits-vae.json"]
    assert not any("gan" in name for name in metrics)
    plots = line.run("dvc", "plots", "diff", "HEAD", "-o", "plots").text
    assert "index.html" in plots
    line.run("dvc", "exp", "remove", "shorter")


def test_a_source_archive_without_git_runs(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "archive", git=False)
    # The environment that is already here: installing one more is not what is tried.
    (clone.path / ".venv").symlink_to(BIN.parent)
    (BIN.parent / ".ready").touch()
    params = yaml.safe_load((clone.path / "params.yaml").read_text())
    params["datasets"].pop("docstrings")
    params["experiments"] = {"digits-vae": params["experiments"]["digits-vae"]}
    (clone.path / "params.yaml").write_text(yaml.safe_dump(params))
    outside = {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    clone.run("dvc", "config", "--local", "core.no_scm", "true", **outside)
    assert set(clone.run("dvc", "repro", **outside).stages) == {
        *(f"{s}@digits" for s in ("download", "validate", "prepare", "fit_evaluator")),
        *downstream("digits-vae"),
    }
    # `make` tells DVC by itself that there is no git, and what has run is up to date.
    (clone.path / ".dvc/config.local").unlink()
    run = clone.run("make", "repro", **outside)
    assert run.stages == []
    assert "reports/index.html" in run.out
    assert "make ui" in run.out


def test_the_tree_that_is_copied_is_the_whole_project(tmp_path: Path) -> None:
    copy_tree(tmp_path)
    for name in ("dvc.yaml", "params.yaml", "pyproject.toml", "requirements.lock", "Makefile"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
