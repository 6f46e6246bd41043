"""Choices that cannot go together: why, and what works instead. Looked for before training."""

from __future__ import annotations

from collections.abc import Iterator

from genline.core.errors import ParamsError
from genline.models.text_gan.config import Model, Train


def impossible(model: Model, train: Train) -> str | None:
    """The first reason why the two cannot be trained together, or None."""
    return next(_reasons(model, train), None)


def refuse(model: Model, train: Train) -> None:
    """Raises ParamsError with the reason for what cannot be trained."""
    reason = impossible(model, train)
    if reason is not None:
        raise ParamsError(f"params.yaml: {reason}")


def _reasons(model: Model, train: Train) -> Iterator[str]:
    if train.objective == "mle":
        return  # no discriminator plays, and no weight counts
    judge = train.discriminator
    if train.objective == "reinforce" and train.discount < 1 and not judge.scores_prefixes:
        yield (
            f"train.discount is {train.discount:g}, but discriminator '{judge.network}' scores "
            "whole texts: their one reward stands at the end, and would hardly reach the first "
            "tokens; use discount: 1.0, or discriminator network lstm or gru"
        )
    if not (train.adversarial_weight or train.likelihood_weight):
        yield (
            "train.adversarial_weight and train.likelihood_weight are both 0, so that nothing "
            "would train the generator; use 1.0 for one of them"
        )
    if train.matching == "mmd" and train.objective != "feature_matching":
        yield (
            f"train.matching is mmd, but objective {train.objective} matches no features; leave "
            "it out, or use objective: feature_matching"
        )
    if train.objective == "feature_matching" and train.batch < 2:
        yield (
            "train.batch is 1, but feature_matching compares the distributions of two batches; "
            "use batch: 16 or more"
        )
    if judge.network == "transformer" and model.hidden % judge.heads:
        yield (
            f"train.discriminator.heads is {judge.heads}, which cannot share model.hidden, its "
            f"width, of {model.hidden}; use heads: 1, or a multiple of {judge.heads} for hidden"
        )
