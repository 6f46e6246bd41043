"""Choices that cannot go together: why, and what works instead. Looked for before training."""

from __future__ import annotations

from collections.abc import Iterator

from genline.core.errors import ParamsError
from genline.models.image_gan.config import Discriminator, Model, Train

_MAPS = ("conv", "residual")  # networks that hold feature maps
# Parameters that one objective alone reads.
_OF_ONE = {"divergence": "f_divergence", "margin": "energy", "information": "infogan"}


def impossible(model: Model, train: Train) -> str | None:
    """The first reason why the two cannot be trained, or None; images are not looked at."""
    return next(_reasons(model, train), None)


def refuse(model: Model, train: Train, shape: tuple[int, int, int], classes: int) -> None:
    """Raises ParamsError for what cannot be trained on images of ``shape`` (channels, h, w).

    classes: of the labels, 0 where there are none.
    """
    reason = next(_reasons(model, train), None) or next(
        _unfit(model, train.discriminator, shape, classes), None
    )
    if reason is not None:
        raise ParamsError(f"params.yaml: {reason}")


def _reasons(model: Model, train: Train) -> Iterator[str]:
    yield from _of_the_objective(model, train)
    yield from _of_the_batch(model, train)
    parts = (
        ("model", model.network, model.attention),
        ("train.discriminator", train.discriminator.network, train.discriminator.attention),
    )
    for key, network, attends in parts:
        if attends and network not in _MAPS:
            yield (
                f"{key}.attention is true, but network '{network}' holds no feature map to "
                "attend over; use network conv or residual, or attention: false"
            )


def _of_the_objective(model: Model, train: Train) -> Iterator[str]:
    objective, discriminator = train.objective, train.discriminator
    if discriminator.head == "sigmoid" and objective != "least_squares":
        if objective == "wasserstein":
            why = "its critic has no bound, and a sigmoid gives it one"
        elif objective == "energy":
            why = "its discriminator gives an energy, not a chance"
        else:
            why = "its loss wants any number, and holds a sigmoid where it needs one"
        yield (
            f"train.discriminator.head is 'sigmoid' with objective '{objective}': {why}; use "
            "head: logit, or objective: least_squares"
        )
    if objective == "wasserstein":
        held = train.gradient_penalty or train.clip_weights or discriminator.norm == "spectral"
        if not held:
            yield (
                "train.objective is 'wasserstein', whose critic must be held to slopes of 1, but "
                "nothing holds it; use gradient_penalty: 10, clip_weights: 0.01 or "
                "discriminator.norm: spectral"
            )
        if train.gradient_penalty and train.clip_weights:
            yield (
                "train.clip_weights and train.gradient_penalty both hold the critic of "
                "'wasserstein'; use one and set the other to 0"
            )
    if train.clip_weights and discriminator.norm == "spectral":
        yield (
            "train.clip_weights is above 0 and train.discriminator.norm is 'spectral', which "
            "divides by what was clipped and so undoes it; use clip_weights: 0, or norm: none"
        )
    for name, reader in _OF_ONE.items():
        value = getattr(train, name)
        if objective != reader and value != Train.model_fields[name].default:
            yield (
                f"train.{name} is {value!r}, which objective '{reader}' alone reads, and the "
                f"objective is '{objective}'; use objective: {reader}, or leave {name} out"
            )
    if objective == "energy" and discriminator.minibatch_kernels:
        yield (
            "train.discriminator.minibatch_kernels is above 0 with objective 'energy', whose "
            "discriminator is an autoencoder of one image; use minibatch_kernels: 0 or another "
            "objective"
        )
    if objective == "infogan" and not model.codes.size:
        yield (
            "train.objective is 'infogan' but model.codes holds none to inform about; use codes: "
            "{categorical: [10]}, or objective: non_saturating"
        )
    if objective != "infogan" and model.codes.size:
        yield (
            f"model.codes holds codes that objective '{objective}' does not learn; use "
            "objective: infogan, or leave codes out"
        )


def _of_the_batch(model: Model, train: Train) -> Iterator[str]:
    discriminator = train.discriminator
    penalised = [k for k in ("r1_gamma", "r2_gamma", "gradient_penalty") if getattr(train, k)]
    if penalised and discriminator.norm == "batch":
        yield (
            f"train.{penalised[0]} is above 0 and train.discriminator.norm is 'batch': the "
            "gradient of one image's output is wanted, and batch normalisation mixes images; use "
            f"norm: none or spectral, or {penalised[0]}: 0"
        )
    if penalised and discriminator.minibatch_kernels:
        yield (
            f"train.{penalised[0]} is above 0 and train.discriminator.minibatch_kernels too: the "
            "gradient of one image's output is wanted, and minibatch discrimination mixes images; "
            f"use minibatch_kernels: 0, or {penalised[0]}: 0"
        )
    if discriminator.norm == "batch" and discriminator.network not in _MAPS:
        yield (
            f"train.discriminator.norm is 'batch' with network '{discriminator.network}', which "
            "has no feature map to take statistics over; use norm: spectral or none"
        )
    if train.batch > 1:
        return
    if discriminator.minibatch_kernels:
        yield (
            "train.batch is 1, but minibatch discrimination compares the images of a batch; use "
            "batch: 2 or more, or train.discriminator.minibatch_kernels: 0"
        )
    if discriminator.norm == "batch":
        yield (
            "train.batch is 1, but train.discriminator.norm is 'batch', which wants several "
            "images; use batch: 2 or more, or norm: spectral"
        )
    if model.network in _MAPS and model.norm == "batch":
        yield (
            "train.batch is 1, but model.norm is 'batch', which wants several images; use batch: "
            "2 or more, or norm: none"
        )


def _unfit(
    model: Model, discriminator: Discriminator, shape: tuple[int, int, int], classes: int
) -> Iterator[str]:
    _, height, width = shape
    if model.conditional and not classes:
        yield (
            "model.conditional is true but the dataset holds no labels; use conditional: false, "
            "or a dataset with labels"
        )
    attends = {
        "model": model.attention,
        "train.discriminator": discriminator.attention,
    }
    for key in (key for key, yes in attends.items() if yes):
        if height * width == 1:
            yield (
                f"{key}.attention is true, but on a 1×1 image there is nothing to attend "
                "to; use attention: false"
            )
