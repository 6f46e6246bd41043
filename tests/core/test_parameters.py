"""What `genline check` refuses before anything runs, and what it lets through."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from genline import parameters
from genline.core.errors import ParamsError

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
# Figures with a better direction that are no model's own, or not always there.
NOT_COMPARED = {"lm_perplexity", "ngram_perplexity", "reverse_perplexity_vs_control"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's suites and no params.yaml yet."""
    monkeypatch.chdir(tmp_path)
    suites = tmp_path / "data" / "expectations"
    suites.mkdir(parents=True)
    for dataset in PARAMS["datasets"]:
        (suites / f"{dataset}.yaml").write_text("expectations: []\n")
    return tmp_path


def check(key: str, value: Any) -> None:
    params = copy.deepcopy(PARAMS)
    place = params
    *parents, last = key.split(".")
    for parent in parents:
        place = place[parent]
    place[last] = value
    Path("params.yaml").write_text(yaml.safe_dump(params))
    parameters.check()


def refused(key: str, value: Any) -> str:
    with pytest.raises(ParamsError) as caught:
        check(key, value)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700
    return text


def test_the_projects_own_params_pass() -> None:
    check("seed", 1)


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ("data/expectations/digitz.yaml", "no file .*did you mean 'data/expectations/digits.yaml'"),
        ("no/such/folder/x.yaml", "no file no/such/folder/x.yaml"),
        ("data/expectations", "is a folder"),
        ("../outside.yaml", "wanted: a file within the project"),
        ("/etc/hostname", "wanted: a file within the project"),
        ("pipe", "is a named pipe"),
        ("", "wanted: text that is not empty"),
    ],
)
def test_a_suite_that_cannot_be_read_is_refused(project: Path, suite: str, words: str) -> None:
    (project.parent / "outside.yaml").write_text("expectations: []\n")
    os.mkfifo(project / "pipe")
    with pytest.raises(ParamsError, match=words):
        check("datasets.digits.validate.suite", suite)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("experiments.digits-vae.register.metric", "fidd", "did you mean 'fid'?"),
        ("experiments.digits-gan.register.metric", "nll", "family 'image_gan'"),
        ("experiments.digits-gan.train.objective", "wasserstein", "use gradient_penalty: 10"),
        ("experiments.docstrings-vae.register.metric", "lm_perplexity", "did you mean"),
        ("experiments.digits-vae.train.clip", float("inf"), "clip is infinite; wanted: a number"),
        ("experiments.digits-vae.train.clip", float("nan"), "clip is not a number"),
        ("experiments.docstrings-gan.evaluate.temperatures", [], "at least 1 entry"),
        ("experiments.docstrings-gan.evaluate.temperatures", [1e-30], "in [0.01, 10]"),
        ("experiments.digits-vae.train.steps", 10**12, "from 1 to 10000000"),
        ("experiments.digits-gan.train.batch", 10**9, "from 1 to 65536"),
        ("datasets.digits.kind", ["image"], "datasets.digits.kind is a list; known: image, text"),
        ("datasets.digits.source.name", ["digits"], "is a list"),
        ("experiments.digits-vae.dataset", {"a": 1}, "is a block of keys; known: digits"),
        ("experiments.digits-vae.family", None, "is empty; known: image_gan"),
        ("datasets.digits", None, "datasets.digits is empty; wanted: a block"),
        ("datasets", [], "datasets is a list; wanted: a block"),
        ("datasets." + "x" * 65, {}, "a name is 1 to 64 lower-case letters"),
        ("datasets.a/b", {}, "cannot be a name"),
        ("datasets.Ä\n", {}, "cannot be a name"),
    ],
)
def test_what_cannot_work_is_refused(key: str, value: Any, words: str) -> None:
    assert words in refused(key, value)


def test_a_name_that_yaml_reads_as_a_number_is_to_be_quoted() -> None:
    params = copy.deepcopy(PARAMS)
    params["datasets"][1] = {}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(ParamsError, match=r"datasets\.1: the name must be text; quote it"):
        parameters.check()


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "no CUDA device" in refused("runtime.device", "cuda")


@pytest.mark.parametrize("experiment", sorted(PARAMS["experiments"]))
def test_the_metrics_let_through_are_those_that_evaluation_gives(experiment: str) -> None:
    record = json.loads((ROOT / f"reports/evaluation/{experiment}.json").read_text())
    directed = {n for n, m in record["metrics"].items() if m["better"] in ("lower", "higher")}
    assert directed - NOT_COMPARED == set(parameters.METRICS[record["family"]])
