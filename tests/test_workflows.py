"""Workflow files against their published schemas, and against the rules they are written by."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from genline.retraining.loop import STEPS

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
NAMES = [path.name for path in WORKFLOWS]


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        *((path, ["vendor.github-workflows"]) for path in WORKFLOWS),
        (ROOT / ".gitlab-ci.yml", ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
    ids=[*NAMES, ".gitlab-ci.yml"],
)
def test_a_workflow_fits_its_published_schema(path: Path, schema: list[str]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_one_action_has_one_commit_everywhere() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)
    found = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text))
    assert len(found) == len({name for name, _ in found})


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_rights_are_named_and_none_is_given_to_all_jobs_but_reading(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        wider = {k for k, v in job.get("permissions", {}).items() if v == "write"}
        assert wider <= {"contents", "pull-requests"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_secrets_are_given_to_the_step_that_needs_them_and_to_no_other(path: Path) -> None:
    workflow = read(path)
    for part in (workflow, *workflow["jobs"].values()):
        assert "secrets." not in str(part.get("env", ""))
    named = [
        str(step.get("name", step.get("uses"))) for step in steps(path) if "secrets." in str(step)
    ]
    assert all(name == "Retrain" or name.startswith("actions/checkout@") for name in named)


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_no_typed_text_becomes_part_of_a_command(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), step


def test_retraining_is_one_at_a_time_and_never_cut_short() -> None:
    workflow = read(ROOT / ".github/workflows/retrain.yml")
    assert workflow["concurrency"] == {"group": "retrain", "cancel-in-progress": False}


def test_ci_runs_the_one_script_that_requires_a_browser() -> None:
    assert [s["run"] for s in steps(ROOT / ".github/workflows/test.yml") if "run" in s] == [
        ".ci/run"
    ]
    assert read(ROOT / ".gitlab-ci.yml")["test"]["script"] == [".ci/run"]
    assert "GENLINE_REQUIRE_BROWSER=1" in (ROOT / ".ci/run").read_text()


def test_what_is_half_trained_is_kept_however_a_job_ends() -> None:
    found = steps(ROOT / ".github/workflows/retrain.yml")
    (restore,) = [s for s in found if s.get("uses", "").startswith("actions/cache/restore@")]
    (save,) = [s for s in found if s.get("uses", "").startswith("actions/cache/save@")]
    assert save["if"].startswith("always() && ")
    assert "hashFiles('.genline/checkpoints/**') != ''" in save["if"]
    assert save["with"]["key"] == restore["with"]["key"]  # but of the lock as it then is
    assert save["uses"].partition("@")[2] == restore["uses"].partition("@")[2]
    assert save["with"]["path"] == restore["with"]["path"]
    (checkout,) = [s for s in found if s.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["clean"] is False
    after = found[found.index(checkout) + 1]["run"]
    assert after.startswith("git clean") and after.endswith(" -- reports") and "x" not in after
    assert read(ROOT / ".gitlab-ci.yml")["retrain"]["variables"]["GIT_CLEAN_FLAGS"] == "-ffd"


def test_a_retraining_is_started_by_everything_the_pipeline_reads() -> None:
    """A path that starts none would leave a change waiting for the night."""
    triggers = read(ROOT / ".github/workflows/retrain.yml")[True]  # YAML reads `on` as true
    assert {"push", "schedule", "workflow_dispatch"} <= set(triggers)
    patterns = [str(p).removesuffix("/**") for p in triggers["push"]["paths"]]
    stages = read(ROOT / "dvc.yaml")["stages"].values()
    deps = {dep for stage in stages for dep in stage.get("do", stage)["deps"]}
    made = ("data/", "models/", "reports/", "${")
    for dep in deps:
        if not dep.startswith(made):
            assert any(dep == p or dep.startswith(f"{p}/") for p in patterns), dep


def test_inputs_offer_budgets_that_exist() -> None:
    triggers = read(ROOT / ".github/workflows/retrain.yml")[True]
    offered = triggers["workflow_dispatch"]["inputs"]["budget"]["options"]
    known = {path.stem for path in (ROOT / "presets/budgets").glob("*.yaml")}
    assert set(offered) == known | {"as-committed"}


def test_the_command_offers_the_steps_that_there_are() -> None:
    from genline.cli import _parser

    for step in STEPS:
        assert _parser().parse_args(["retrain", "--only", step]).only == step
    with pytest.raises(SystemExit):
        _parser().parse_args(["retrain", "--only", "all"])


def test_both_images_run_without_rights_from_the_lock() -> None:
    text = (ROOT / "Dockerfile").read_text()
    targets = {part.split()[0]: part for part in re.split(r"^FROM \S+ AS ", text, flags=re.M)[1:]}
    assert set(targets) == {"base", "cpu", "cuda"}
    assert targets["base"].rindex("USER genline") > targets["base"].rindex("RUN ")
    for name in ("cpu", "cuda"):
        assert "USER" not in targets[name]
        assert "pip install -r requirements.lock" in targets[name]
        assert "--no-deps --editable ." in targets[name]


GITHUB, GITLAB = "username=x-access-token", "username=oauth2"


@pytest.mark.parametrize(
    ("name", "user", "token"),
    [
        ("deploy/kubernetes-job.yaml", GITHUB, "GITHUB_TOKEN"),
        ("deploy/sky.yaml", GITHUB, "GITHUB_TOKEN"),
        (".gitlab-ci.yml", GITLAB, "GITLAB_TOKEN"),
    ],
)
def test_git_is_given_a_token_by_a_helper_and_in_no_address(
    name: str, user: str, token: str, tmp_path: Path
) -> None:
    """In an address it would stand in git's configuration and in the list of processes."""
    text = (ROOT / name).read_text()
    assert not re.search(r"https://[^/\s]*@", text)
    (helper,) = set(re.findall(r"'(!f\(\) \{.*\}; f)'", text))
    asked = ["git", "-c", "credential.helper=", "-c", f"credential.helper={helper}"]
    done = subprocess.run(
        [*asked, "credential", "fill"],
        input="protocol=https\nhost=example.org\n\n",
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), token: "s3cret"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {user, "password=s3cret"} <= set(done.stdout.splitlines())


def test_an_image_holds_nothing_that_opens_a_remote() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".git", ".dvc/config.local", ".env", ".genline"} <= set(ignored)


@pytest.mark.parametrize("name", ["kubernetes-job.yaml", "sky.yaml"])
def test_deployments_run_the_loop_and_hold_no_secret(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text()
    assert yaml.safe_load(text)
    assert "genline retrain" in text
    assert not re.search(r"(ghp|github_pat|glpat)_?\w{8}", text)
