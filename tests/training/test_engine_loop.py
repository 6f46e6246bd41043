"""The training loop on a recipe small enough to follow by hand."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

import genline
from genline.core.errors import TrainingError
from genline.training.engine import loop
from genline.training.engine.averages import ExponentialAverage
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.loop import History, Row, train
from genline.training.engine.recipe import Recipe


class Regression(Recipe):
    """Fits y = x with noise from its stream; Adam, so that the optimiser has state to lose."""

    def __init__(self, steps: int = 60, hook: Callable[[int], None] = lambda step: None) -> None:
        super().__init__()
        self.steps, self.hook = steps, hook
        self.layer = nn.Linear(1, 1)
        with torch.no_grad():
            self.layer.weight.fill_(0.0)
            self.layer.bias.fill_(0.0)
        self.optimizer = torch.optim.Adam(self.layer.parameters(), 0.05)
        self.stream = torch.Generator().manual_seed(4)
        self.average = ExponentialAverage(self.layer, 0.9)
        self.modules["layer"] = self.layer
        self.optimizers["layer"] = self.optimizer
        self.averages["layer"] = self.average
        self.generators["noise"] = self.stream

    def step(self, step: int) -> dict[str, Tensor]:
        self.hook(step)
        x = torch.randn(8, 1, generator=self.stream)
        loss = (self.layer(x) - x).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update(self.layer)
        return {"loss": loss}

    def result(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()


class Validated(Regression):
    """Its validation figures are given; the best is neither the first nor the last."""

    selects_by = "valid_loss"
    validate_every = 10
    figures: tuple[float, ...] = (5.0, 3.0, 4.0, 2.0, 2.5, 9.0)

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.seen: dict[int, Tensor] = {}

    def validate(self, step: int) -> dict[str, float]:
        self.seen[step] = self.result()["weight"].clone()
        return {"valid_loss": self.figures[step // 10 - 1]}


class Phases(Regression):
    """The weight alone is sought in steps 21 to 40, the bias alone after them, nothing before."""

    selects_by = "valid_loss"
    validate_every = 10
    phase_ends = frozenset({37})
    figures: ClassVar[dict[int, float]] = {10: 0.0, 20: 1.0, 30: 3.0, 37: 2.0, 40: 5.0}

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.seen: dict[int, dict[str, Tensor]] = {}

    def selects(self, step: int) -> str | None:
        if step <= 20:
            return None
        return "weight" if step <= 37 else "bias"

    def validate(self, step: int) -> dict[str, float]:
        self.seen[step] = {k: v.clone() for k, v in self.result().items()}
        return {"valid_loss": self.figures.get(step, 6.0 + step)}


class KilledError(Exception):
    pass


def stop_at(step: int) -> Callable[[int], None]:
    def hook(now: int) -> None:
        if now == step:
            raise KilledError

    return hook


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint at every step."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", [Regression, Validated, Phases])
@pytest.mark.parametrize("killed_at", [1, 17, 38, 59])
def test_a_killed_training_resumes_to_the_same_bits(
    kind: type[Regression], killed_at: int, tmp_path: Path
) -> None:
    whole = train("whole", kind(), Checkpoints(tmp_path, "whole", "d"))
    with pytest.raises(KilledError):
        train("cut", kind(hook=stop_at(killed_at)), Checkpoints(tmp_path, "cut", "d"))
    rows: list[Row] = []
    resumed = train("cut", kind(), Checkpoints(tmp_path, "cut", "d"), rows.append)
    assert resumed.steps_done == 60 - killed_at
    assert all(torch.equal(v, resumed.weights[k]) for k, v in whole.weights.items())
    assert resumed.history.csv() == whole.history.csv()
    assert rows == whole.history.rows


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("killed_at", [6, 7, 253, 499])
def test_a_training_killed_between_two_records_resumes_to_the_same_curve(
    killed_at: int, tmp_path: Path
) -> None:
    class Long(Validated):
        def validate(self, step: int) -> dict[str, float]:
            return {"valid_loss": 1.0 / step}

    whole = train("whole", Long(steps=500), Checkpoints(tmp_path, "whole", "d"))
    assert len(whole.history.rows) == 100
    checkpoints = Checkpoints(tmp_path, "cut", "d")
    with pytest.raises(KilledError):
        train("cut", Long(steps=500, hook=stop_at(killed_at)), checkpoints)
    resumed = train("cut", Long(steps=500), Checkpoints(tmp_path, "cut", "d"))
    assert resumed.steps_done == 500 - killed_at
    assert all(torch.equal(v, resumed.weights[k]) for k, v in whole.weights.items())
    assert resumed.history.rows == whole.history.rows


@pytest.mark.usefixtures("eager")
def test_what_is_not_finite_is_not_saved_while_its_record_is_still_to_come(tmp_path: Path) -> None:
    class Diverging(Regression):
        def step(self, step: int) -> dict[str, Tensor]:
            figures = super().step(step)
            return figures | {"penalty": torch.tensor(math.nan if step == 251 else 1.0)}

    checkpoints = Checkpoints(tmp_path, "late", "d")
    with pytest.raises(TrainingError, match="penalty is nan at step 255"):
        train("late", Diverging(steps=500), checkpoints)
    state = checkpoints.load()
    assert state is not None and state["step"] == 251


def test_the_best_validated_state_is_kept(tmp_path: Path) -> None:
    recipe = Validated()
    trained = train("best", recipe, Checkpoints(tmp_path, "best", "d"))
    assert torch.equal(trained.weights["weight"], recipe.seen[40])
    assert sorted(recipe.seen) == [10, 20, 30, 40, 50, 60]


def test_each_phase_keeps_the_best_state_of_what_it_trains(tmp_path: Path) -> None:
    recipe = Phases()
    trained = train("phases", recipe, Checkpoints(tmp_path, "phases", "d"))
    assert sorted(recipe.seen) == [10, 20, 30, 37, 40, 50, 60]
    assert torch.equal(trained.weights["weight"], recipe.seen[37]["weight"])
    assert torch.equal(trained.weights["bias"], recipe.seen[40]["bias"])


def test_training_goes_on_from_its_last_state_and_not_from_the_best(tmp_path: Path) -> None:
    plain, selecting = Regression(), Validated()
    train("plain", plain, Checkpoints(tmp_path, "plain", "d"))
    train("selecting", selecting, Checkpoints(tmp_path, "selecting", "d"))
    assert torch.equal(plain.layer.weight, selecting.layer.weight)


def test_the_last_state_is_kept_where_it_is_the_best(tmp_path: Path) -> None:
    class Improving(Validated):
        figures = (5.0, 4.0, 3.0, 2.0, 1.5, 1.0)

    recipe = Improving()
    trained = train("improving", recipe, Checkpoints(tmp_path, "improving", "d"))
    assert torch.equal(trained.weights["weight"], recipe.average.module.weight)


def test_of_states_that_noise_cannot_tell_apart_the_later_is_kept(tmp_path: Path) -> None:
    class Noisy(Validated):
        figures = (5.0, 3.0, 3.4, 2.9, 3.3, 3.5)

        def validate(self, step: int) -> dict[str, float]:
            return super().validate(step) | {"valid_loss_error": 0.5}

    recipe = Noisy()
    trained = train("noisy", recipe, Checkpoints(tmp_path, "noisy", "d"))
    assert torch.equal(trained.weights["weight"], recipe.seen[50])


def test_without_a_figure_to_select_by_the_last_state_is_kept(tmp_path: Path) -> None:
    recipe = Regression()
    trained = train("last", recipe, Checkpoints(tmp_path, "last", "d"))
    assert torch.equal(trained.weights["weight"], recipe.average.module.weight)
    assert trained.weights["weight"].item() == pytest.approx(1.0, abs=0.1)


def test_a_long_training_has_a_hundred_rows_of_mean_losses(tmp_path: Path) -> None:
    losses: list[float] = []

    class Counting(Regression):
        def step(self, step: int) -> dict[str, Tensor]:
            losses.append(float(step))
            return {"loss": torch.tensor(float(step))}

    trained = train("curve", Counting(steps=500), Checkpoints(tmp_path, "curve", "d"))
    assert len(trained.history.rows) == 100
    assert trained.history.rows[1] == {"step": 10.0, "loss": 7.0}  # the mean of steps 5 to 9
    assert len(losses) == 500


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_with_step_and_term(bad: float, tmp_path: Path) -> None:
    class Diverging(Regression):
        def step(self, step: int) -> dict[str, Tensor]:
            figures = super().step(step)
            return figures | {"penalty": torch.tensor(bad if step == 41 else 1.0)}

    checkpoints = Checkpoints(tmp_path, "bad", "d")
    with pytest.raises(TrainingError, match=rf"bad: penalty is {bad} at step 42"):
        train("bad", Diverging(), checkpoints)
    state = checkpoints.load()
    assert state is not None and state["step"] == 41


def test_a_validation_figure_that_is_not_finite_stops(tmp_path: Path) -> None:
    class Broken(Validated):
        figures = (5.0, 3.0, math.nan, 2.0, 2.5, 9.0)

    with pytest.raises(TrainingError, match="valid_loss is nan at step 30"):
        train("broken", Broken(), Checkpoints(tmp_path, "broken", "d"))


def test_weights_that_are_not_finite_are_not_returned(tmp_path: Path) -> None:
    class Spoilt(Regression):
        def finish(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
            return weights | {"extra": torch.tensor([math.nan])}

    with pytest.raises(TrainingError, match="weight extra is not finite"):
        train("spoilt", Spoilt(), Checkpoints(tmp_path, "spoilt", "d"))


def test_a_pipeline_s_orphan_stops_with_its_checkpoint_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@x")

    def orphan(step: int) -> None:
        if step == 20:
            monkeypatch.setattr(os, "getppid", lambda: -1)  # a parent that is nobody's

    checkpoints = Checkpoints(tmp_path, "orphan", "d")
    # 21 lies between two records, which are five steps apart.
    with pytest.raises(TrainingError, match=r"orphan: stopped at step 21.*checkpoint is kept"):
        train("orphan", Regression(steps=500, hook=orphan), checkpoints)
    state = checkpoints.load()
    assert state is not None and state["step"] == 21


def test_an_orphan_that_comes_too_late_neither_trains_nor_leaves_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC was killed while this process imported its libraries."""
    monkeypatch.setenv("DVC_STAGE", "train@x")
    monkeypatch.setattr(genline, "STARTED_BY", os.getppid() + 1)
    checkpoints = Checkpoints(tmp_path, "late", "d")
    with pytest.raises(TrainingError, match="late: not begun, since the process that started it"):
        train("late", Regression(hook=lambda step: pytest.fail("it trained")), checkpoints)
    assert not list(tmp_path.rglob("*.pt"))


def test_a_trainer_started_by_hand_may_outlive_its_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)
    recipe = Regression(hook=lambda step: monkeypatch.setattr(os, "getppid", lambda: 1))
    assert train("hand", recipe, Checkpoints(tmp_path, "hand", "d")).steps_done == 60


def test_a_curve_leaves_empty_what_a_row_lacks() -> None:
    history = History([{"step": 1.0, "loss": 0.5}, {"step": 2.0, "loss": 0.25, "valid": 1 / 3}])
    assert history.csv() == "step,loss,valid\n1,0.5,\n2,0.25,0.3333333\n"
