"""Choices that cannot go together are refused with the reason and something that works."""

from __future__ import annotations

import re

import pytest

from genline.core.errors import ParamsError
from genline.models.image_gan.combinations import impossible, refuse
from genline.models.image_gan.config import Codes, Discriminator, Model, Train

MODEL = Model(network="conv", latent=4, width=4, layers=1)
TRAIN = Train(
    steps=1,
    batch=8,
    discriminator=Discriminator(network="conv", width=4, layers=1),
    objective="non_saturating",
    r1_gamma=1.0,
    r1_every=1,
    learning_rate=0.1,
    decay=0.0,
    beta1=0.0,
    beta2=0.9,
    ema=0.9,
    validate_every=1,
)
CRITIC = {"objective": "wasserstein", "gradient_penalty": 10.0, "r1_gamma": 0.0}


def train(discriminator: dict[str, object] | None = None, **changes: object) -> Train:
    section = TRAIN.discriminator.model_copy(update=discriminator or {})
    return TRAIN.model_copy(update={"discriminator": section, **changes})


@pytest.mark.parametrize(
    ("model", "discriminator", "changes", "why", "instead"),
    [
        ({}, {"head": "sigmoid"}, CRITIC, "no bound", "head: logit"),
        ({}, {"head": "sigmoid"}, {"objective": "hinge"}, "any number", "least_squares"),
        ({}, {"head": "sigmoid"}, {"objective": "energy"}, "an energy", "head: logit"),
        ({}, {"norm": "batch"}, CRITIC, "mixes images", "norm: none or spectral"),
        ({}, {"norm": "batch"}, {}, "mixes images", "r1_gamma: 0"),
        ({}, {"minibatch_kernels": 4}, {}, "mixes images", "minibatch_kernels: 0"),
        (
            {},
            {"minibatch_kernels": 4},
            {"batch": 1, "r1_gamma": 0.0},
            "compares the images of a batch",
            "batch: 2 or more",
        ),
        ({}, {"norm": "batch"}, {"batch": 1, "r1_gamma": 0.0}, "several images", "batch: 2"),
        ({}, {}, {"batch": 1}, "several images", "norm: none"),
        (
            {},
            {"norm": "batch", "network": "recurrent"},
            {"r1_gamma": 0.0},
            "no feature map",
            "norm: spectral",
        ),
        ({}, {}, CRITIC | {"gradient_penalty": 0.0}, "nothing holds it", "gradient_penalty: 10"),
        ({}, {}, CRITIC | {"clip_weights": 0.1}, "both hold", "set the other to 0"),
        (
            {},
            {"minibatch_kernels": 2},
            {"objective": "energy", "r1_gamma": 0.0},
            "autoencoder of one image",
            "minibatch_kernels: 0",
        ),
        (
            {},
            {"norm": "spectral"},
            {"objective": "wasserstein", "clip_weights": 0.1, "r1_gamma": 0.0},
            "undoes it",
            "clip_weights: 0",
        ),
        ({}, {}, {"divergence": "kl"}, "'f_divergence' alone reads", "f_divergence, or leave"),
        ({}, {}, {"margin": 2.0}, "'energy' alone reads", "objective: energy"),
        ({}, {}, {"information": 0.1}, "'infogan' alone reads", "leave information out"),
        ({}, {}, {"objective": "infogan"}, "holds none", "categorical: [10]"),
        ({"codes": Codes(continuous=1)}, {}, {}, "does not learn", "objective: infogan"),
        ({"network": "mlp", "attention": True}, {}, {}, "no feature map", "conv or residual"),
        ({}, {"network": "recurrent", "attention": True}, {}, "no feature map", "attention: false"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    model: dict[str, object],
    discriminator: dict[str, object],
    changes: dict[str, object],
    why: str,
    instead: str,
) -> None:
    section = MODEL.model_copy(update=model)
    reason = impossible(section, train(discriminator, **changes))
    assert reason is not None
    assert why in reason
    assert instead in reason.split("; use ")[1]
    with pytest.raises(ParamsError, match=re.escape(why)):
        refuse(section, train(discriminator, **changes), (1, 8, 8), 10)


@pytest.mark.parametrize(
    ("discriminator", "changes"),
    [
        ({}, {}),
        ({"head": "sigmoid"}, {"objective": "least_squares"}),
        ({"norm": "spectral"}, CRITIC),
        ({"norm": "spectral"}, CRITIC | {"gradient_penalty": 0.0}),
        ({}, {"objective": "f_divergence", "divergence": "kl"}),
        ({"norm": "batch"}, {"r1_gamma": 0.0}),
        ({}, {"objective": "wasserstein", "clip_weights": 0.01, "r1_gamma": 0.0}),
    ],
)
def test_what_works_is_let_through(
    discriminator: dict[str, object], changes: dict[str, object]
) -> None:
    assert impossible(MODEL, train(discriminator, **changes)) is None


def test_what_the_images_forbid_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"1×1 image .* use attention: false"):
        refuse(MODEL.model_copy(update={"attention": True}), TRAIN, (3, 1, 1), 0)
    with pytest.raises(ParamsError, match=r"holds no labels; use conditional: false"):
        refuse(MODEL.model_copy(update={"conditional": True}), TRAIN, (3, 8, 8), 0)
    refuse(MODEL.model_copy(update={"conditional": True, "attention": True}), TRAIN, (3, 8, 8), 2)
