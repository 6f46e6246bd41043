"""Budgets: keys set in params.yaml without touching its comments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from genline.core.errors import ParamsError
from genline.core.params import lookup
from genline.retraining import budgets

ROOT = Path(__file__).parents[2]
BUDGETS = sorted((ROOT / "presets/budgets").glob("*.yaml"))
TEXT = """\
# Why.
seed: 1        # any
experiments:
  a: {train: {steps: 100, rate: 0.5}}  # one line
  b:
    train:
      steps: 200   # 1 or more
datasets: {}
"""


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    return path


def test_only_the_values_change(params: Path) -> None:
    params.write_text(
        budgets.applied({"experiments.a.train.steps": 7, "experiments.b.train.steps": 1}, params)
    )
    expected = TEXT.replace("steps: 100", "steps: 7").replace("steps: 200", "steps: 1")
    assert params.read_text() == expected


def test_an_experiment_that_is_not_there_is_left_out(params: Path) -> None:
    params.write_text(budgets.applied({"experiments.c.train.steps": 7}, params))
    assert params.read_text() == TEXT


def test_another_unknown_key_is_refused_and_nothing_is_written(params: Path) -> None:
    with pytest.raises(ParamsError, match=r"stepz.*did you mean 'steps'"):
        params.write_text(budgets.applied({"seed": 2, "experiments.a.train.stepz": 7}, params))
    assert params.read_text() == TEXT


def test_an_unknown_budget_offers_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ParamsError, match="did you mean 'small'"):
        budgets.read("smal")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "presets/budgets").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_budget_fits_the_projects_own_params(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    values = budgets.read(path.stem)
    copy = tmp_path / "params.yaml"
    copy.write_text((ROOT / "params.yaml").read_text())
    copy.write_text(budgets.applied(values, copy))
    params = yaml.safe_load(copy.read_text())
    for key, value in values.items():
        found = params
        for part in key.split("."):
            found = found[part]
        assert found == value, key
    assert copy.read_text().count("#") == (ROOT / "params.yaml").read_text().count("#")


def test_the_small_budget_is_what_its_header_says() -> None:
    text = (ROOT / "presets/budgets/small.yaml").read_text()
    least, most = map(int, re.findall(r"(\d+) to (\d+) % of the default steps", text)[0])
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    steps = {key: value for key, value in yaml.safe_load(text).items() if key.endswith("steps")}
    shares = [round(100 * value / lookup(params, key)) for key, value in steps.items()]
    assert (min(shares), max(shares)) == (least, most)
