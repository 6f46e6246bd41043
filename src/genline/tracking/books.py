"""MLflow's books of runs, as far as this project writes in them.

Two ways in: :mod:`genline.tracking.sqlite_books`, the database file itself, and
:mod:`genline.tracking.mlflow_books`, MLflow's own client, which takes seconds to import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

KIND = {"mlflow.experimentKind": "custom_model_development"}  # or its pages open in GenAI mode
NAME = "mlflow.runName"
# What MLflow takes; longer values are cut to it.
TAG_LENGTH, PARAM_LENGTH = 8000, 6000


@dataclass(frozen=True)
class Entry:
    """A run: ``place`` is the id of its MLflow experiment, ``metrics`` the last value of each,
    ``started`` in milliseconds, ``inputs`` the name and digest of each data set."""

    run_id: str
    place: str
    status: str
    started: int
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()


class Point(NamedTuple):
    """A figure to be logged."""

    key: str
    value: float
    step: int


class Told(NamedTuple):
    """A figure as it was logged; ``when`` in milliseconds."""

    step: int
    value: float
    when: int


class Input(NamedTuple):
    """A data set that a run learned from, and the folder it stands in."""

    name: str
    digest: str
    path: str


class Books(Protocol):
    """Every method raises what the store raises: sqlite3's errors, or MLflow's and requests'."""

    def known(self, name: str) -> str | None:
        """The id of the MLflow experiment ``name``; None where there is none."""

    def place(self, name: str) -> str:
        """The same, made or taken out of the bin if need be."""

    def offer(self, place: str, key: str, value: str) -> None:
        """Give an experiment a tag that it lacks; one that it has is left."""

    def runs(self, place: str, tags: Mapping[str, str]) -> list[Entry]:
        """The runs with all these tags that were not deleted, the latest first."""

    def run(self, run_id: str) -> Entry: ...

    def begin(self, place: str, name: str, tags: Mapping[str, str]) -> Entry:
        """A new run, RUNNING from now on."""

    def set_status(self, run_id: str, status: str) -> None:
        """With the time of its end, unless it is RUNNING."""

    def log(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add figures, all told now, parameters that it lacks, and tags, which replace others."""

    def history(self, run_id: str, key: str) -> list[Told]:
        """All figures of one name."""

    def put_input(self, run_id: str, data: Input) -> None: ...

    def put_files(self, run_id: str, folder: Path) -> None:
        """Add all files below ``folder`` to the run's artifacts."""
