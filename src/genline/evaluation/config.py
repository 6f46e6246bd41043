"""The parameters of judging images, and the limits of the health checks."""

from __future__ import annotations

from pydantic import Field

from genline.core.params import Section


class CollapseLimits(Section):
    """What a VAE's latents must carry not to count as collapsed."""

    kl: float = Field(default=4.0, ge=0, le=1000, description="least KL, nats an item")
    mutual_information: float = Field(default=0.5, ge=0, le=50, description="least, nats an item")


class CommonHealth(CollapseLimits):
    """Limits that models of images and of texts are held to alike."""

    floors: float = Field(
        default=20.0, gt=1, le=1_000_000, description="largest Fréchet distance, in floors"
    )


class ImageHealth(CommonHealth):
    """Limits beyond which a model of images is not fit to be a champion."""

    class_kl: float = Field(
        default=0.1, gt=0, le=100, description="largest KL of the classes, nats"
    )
    class_share: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="least share of a class, over its share in real data",
    )
    memorisation: float = Field(
        default=0.6, ge=0, le=2, description="least ratio of distances to the training images"
    )
    copied: float = Field(
        default=0.1, ge=0, le=1, description="largest share of samples that are near copies"
    )
    discriminator_accuracy: float = Field(
        default=0.99,
        ge=0.5,
        le=1,
        description="largest share a GAN's discriminator is right about, at the end of training",
    )
    gradient_change: float = Field(
        default=1000.0,
        gt=1,
        le=1_000_000_000,
        description="most times that a GAN's gradients may grow or shrink in training",
    )


class EvaluateImages(Section):
    """How a model of images is judged."""

    draws: int = Field(
        default=20,
        ge=5,
        le=1000,
        description="sets of samples, each the size of the test set, 5 or more",
    )
    most: int = Field(
        default=10_000,
        ge=10,
        le=1_000_000,
        description="images in a set where the test split has more",
    )
    importance_samples: int = Field(
        default=500, ge=1, le=100_000, description="draws of z an image, for a VAE's likelihood"
    )
    shown: int = Field(default=100, ge=1, le=10_000, description="samples in a grid")
    health: ImageHealth = Field(default=ImageHealth(), description="limits of the health checks")
