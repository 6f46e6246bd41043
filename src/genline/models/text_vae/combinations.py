"""Choices that cannot go together: why, and what works instead. Looked for before training."""

from __future__ import annotations

from collections.abc import Iterator

from genline.core.errors import ParamsError
from genline.models.text_vae.config import Model, Train


def impossible(model: Model, train: Train) -> str | None:
    """The first reason why the two cannot be trained together, or None."""
    return next(_reasons(model, train), None)


def refuse(model: Model, train: Train) -> None:
    """Raises ParamsError with the reason for what cannot be trained."""
    reason = impossible(model, train)
    if reason is not None:
        raise ParamsError(f"params.yaml: {reason}")


def _reasons(model: Model, train: Train) -> Iterator[str]:
    if model.batch_norm and train.batch < 2:
        yield (
            f"train.batch is {train.batch}, of which model.batch_norm can take no statistics; use "
            "2 or more, or batch_norm: 0"
        )
    if train.word_dropout and model.network == "mlp":
        yield (
            f"train.word_dropout is {train.word_dropout:g}, but the decoder of network mlp reads "
            "no words that could be hidden; use 0, or network lstm"
        )
