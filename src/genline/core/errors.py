"""Errors a person reads: one line that says what, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GenlineError(Exception):
    """An error the user can act on. Its text is one line; the command prints it and exits 1."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class ParamsError(GenlineError):
    """params.yaml is wrong: the message names the key, the value and what would be right."""


class DataError(GenlineError):
    """An input file is wrong: the message names the file and, where there is one, the row."""


class ModelError(GenlineError):
    """A model folder or registry entry is missing, incomplete or of another kind than asked."""


class TrainingError(GenlineError):
    """Training cannot go on: the message names the step and the term."""


class TrainingStopped(TrainingError):  # noqa: N818 - it is no fault
    """Training was stopped from outside and goes on from its checkpoint when run again."""


class TrackingError(GenlineError):
    """MLflow cannot be reached or refused; the stage's own files are untouched."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause offering the nearest of ``known`` to ``name``, or all of them if none is near."""
    names = sorted(map(str, known))
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names) if names else 'none'}"
