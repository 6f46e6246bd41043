"""The one training loop: steps, curves, validation, the best state, checkpoints."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

import genline
from genline.core.errors import TrainingError, TrainingStopped
from genline.core.progress import Progress
from genline.training.engine.checkpoint import Checkpoints
from genline.training.engine.recipe import Recipe

RECORDS = 100  # rows of a training curve, whatever the number of steps
CHECKPOINT_SECONDS = 20.0
_GONE = "since the process that started it is gone"

Row = dict[str, float]


@dataclass
class History:
    """The curve of a training: one row every few steps, each with its ``step``."""

    rows: list[Row] = field(default_factory=list)

    def csv(self) -> str:
        """Comma-separated values: step first, empty where a row lacks a column."""
        names = ["step", *dict.fromkeys(k for row in self.rows for k in row if k != "step")]
        lines = [",".join(names)]
        for row in self.rows:
            cells = ["" if n not in row else f"{row[n]:.7g}" for n in names]
            lines.append(",".join(cells))
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Trained:
    weights: dict[str, Tensor]
    history: History
    steps_done: int  # in this process: fewer than the recipe's when it resumed
    seconds: float  # in this process


def train(
    title: str,
    recipe: Recipe,
    checkpoints: Checkpoints,
    on_row: Callable[[Row], None] = lambda row: None,
) -> Trained:
    """Run ``recipe`` to its end, from its checkpoint if there is one, and return what it kept.

    The caller clears the checkpoint once its outputs are written. Raises TrainingError, with the
    last good checkpoint kept, when a figure is not finite, when another trainer of the same name
    is at work, or when this one is an orphan: a DVC stage whose DVC was killed.
    """
    with checkpoints.locked():
        return _Loop(title, recipe, checkpoints, on_row).run()


class _Loop:
    def __init__(
        self,
        title: str,
        recipe: Recipe,
        checkpoints: Checkpoints,
        on_row: Callable[[Row], None],
    ) -> None:
        self.title, self.recipe, self.checkpoints, self.on_row = title, recipe, checkpoints, on_row
        self.every = max(1, recipe.steps // RECORDS)
        self.history = History()
        self.best: dict[str, Tensor] = {}  # beside the last state, which training goes on from
        self.best_values: dict[str, float] = {}
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.start = 0
        self.saved = 0.0  # when, on the monotonic clock
        # Only a pipeline's trainer minds: one started by hand may outlive its terminal.
        self.parent = genline.STARTED_BY if "DVC_STAGE" in os.environ else None

    @property
    def orphan(self) -> bool:
        return self.parent not in (None, os.getppid())

    def run(self) -> Trained:
        # The line may have been run again and be done: a checkpoint would be nobody's.
        if self.orphan:
            raise TrainingStopped(f"{self.title}: not begun, {_GONE}; run `dvc repro` again")
        self._resume()
        began = self.saved = time.monotonic()
        with Progress(self.title, self.recipe.steps, self.start) as progress:
            for step in range(self.start, self.recipe.steps):
                self._add(self.recipe.step(step))
                done = step + 1
                if done % self.every == 0 or self._ends_phase(done):
                    self._record(done, progress)
                # At every step, not at every record, which may be minutes apart.
                self._keep_what_is_done(done)
                progress.advance()
        weights = self.recipe.finish(self.recipe.result() | self.best)
        self._refuse_non_finite_weights(weights)
        seconds = time.monotonic() - began
        return Trained(weights, self.history, self.recipe.steps - self.start, seconds)

    def _keep_what_is_done(self, done: int) -> None:
        orphan = self.orphan
        if orphan or time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            self._save(done)
            self.saved = time.monotonic()
        if orphan:
            raise TrainingStopped(
                f"{self.title}: stopped at step {done}, {_GONE}; the checkpoint is kept, "
                "run `dvc repro` again"
            )

    def _add(self, figures: dict[str, Tensor]) -> None:
        # Sums stay on the device: reading a number at each step would stall a GPU.
        for name, value in figures.items():
            value = value.detach()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def _record(self, done: int, progress: Progress) -> None:
        row: Row = {"step": float(done)}
        row |= {name: (total / self.counts[name]).item() for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        self._refuse_non_finite(row, done)
        progress.note(", ".join(f"{k} {v:.4g}" for k, v in row.items() if k != "step"))
        if self._validation_is_due(done):
            figures = self.recipe.validate(done)
            self._refuse_non_finite(figures, done)
            row |= figures
            self._keep_if_best(figures, done)
        self.history.rows.append(row)
        self.on_row(row)

    def _ends_phase(self, done: int) -> bool:
        return done == self.recipe.steps or done in self.recipe.phase_ends

    def _validation_is_due(self, done: int) -> bool:
        """After ``validate_every`` steps or at the first record that follows, and at the end of
        every phase, so that the last state of each is a candidate."""
        every = self.recipe.validate_every
        if every == 0:
            return False
        return self._ends_phase(done) or done // every > (done - self.every) // every

    def _keep_if_best(self, figures: Row, done: int) -> None:
        decides, beginning = self.recipe.selects_by, self.recipe.selects(done)
        if decides is None or beginning is None:
            return
        value, least = figures[decides], self.best_values.get(beginning, math.inf)
        self.best_values[beginning] = min(value, least)
        if value < least or value <= least + figures.get(f"{decides}_error", -math.inf):
            self.best |= {
                name: value.detach().clone()
                for name, value in self.recipe.result().items()
                if name.startswith(beginning)
            }

    def _refuse_non_finite(self, row: Row, done: int) -> None:
        for name, value in row.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"{self.title}: {name} is {value} at step {done}; the last good checkpoint "
                    "is kept: lower the learning rate and run again"
                )

    def _refuse_non_finite_weights(self, weights: dict[str, Tensor]) -> None:
        for name, value in weights.items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise TrainingError(
                    f"{self.title}: weight {name} is not finite at the end of training; "
                    "lower the learning rate and run again"
                )

    def _save(self, done: int) -> None:
        # Cloned: a figure may be a view, and what it is a view of would be written as well.
        sums = {name: total.clone() for name, total in self.sums.items()}
        if not all(bool(torch.isfinite(total).all()) for total in sums.values()):
            return  # the next record refuses it; the last good checkpoint stays
        self.checkpoints.save(
            {
                "step": done,
                "recipe": self.recipe.state_dict(),
                "rows": self.history.rows,
                "sums": sums,
                "counts": self.counts,
                "best": self.best,
                "best_values": self.best_values,
            }
        )

    def _resume(self) -> None:
        state = self.checkpoints.load()
        if state is None:
            return
        self.recipe.load_state_dict(state["recipe"])
        self.start, self.history.rows = state["step"], state["rows"]
        self.best, self.best_values = state["best"], state["best_values"]
        self.sums, self.counts = state["sums"], state["counts"]
        for row in self.history.rows:
            self.on_row(row)
        print(f"{self.title}: resumed at step {self.start} of {self.recipe.steps}", flush=True)
