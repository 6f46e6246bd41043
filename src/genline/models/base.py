"""What evaluation and the commands ask of a model, whatever its family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from genline.core.errors import ModelError, nearest
from genline.models.networks.strategy import ANCESTRAL, Strategy


class GenerativeModel(nn.Module, ABC):
    """A trained model that gives samples.

    ``variants`` names its ways of sampling, the default first: a VAE's are its latent samplers
    (``gmm``, ``prior``), a text GAN's are its generator and its control.
    """

    variants: ClassVar[tuple[str, ...]] = ("model",)

    @abstractmethod
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """``count`` samples from ``variant`` (None: the default).

        Images: uint8 (count, channels, height, width) grey levels. Texts: int64
        (count, at most max_tokens + 1) token ids; each row ends at its first EOS, PAD follows.
        ``temperature`` divides the logits of a text model's next token; 1.0 elsewhere.
        """

    def check_variant(self, variant: str | None) -> str:
        """``variant``, or the default for None. Raises ModelError for one it does not have."""
        if variant is None:
            return self.variants[0]
        if variant not in self.variants:
            raise ModelError(f"no sampler '{variant}'; {nearest(variant, self.variants)}")
        return variant


@dataclass(frozen=True)
class Modelled:
    """What the likelihood of a model is of: by default, of the items as they stand."""

    name: str = ""  # ends the names of its figures, so that they meet none of another likelihood
    about: str = ""  # a sentence that a reader of the figures needs
    discrete: bool = True  # False: a density, which has no bits a dimension


class TextModel(GenerativeModel):
    """A model that writes texts token by token, and so may be told how to choose a token."""

    @abstractmethod
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
        strategy: Strategy = ANCESTRAL,
    ) -> Tensor:
        """As :meth:`GenerativeModel.sample`, by ``strategy``."""


def draw_samples(
    model: GenerativeModel,
    count: int,
    generator: torch.Generator,
    variant: str | None = None,
    temperature: float = 1.0,
    strategy: Strategy = ANCESTRAL,
) -> Tensor:
    """``model.sample`` by ``strategy``. Raises ModelError where the model knows but its own."""
    if strategy == ANCESTRAL:
        return model.sample(count, generator, variant, temperature)
    if not isinstance(model, TextModel):
        raise ModelError(f"{type(model).__name__} takes no top_k, top_p or beams; leave them out")
    return model.sample(count, generator, variant, temperature, strategy)


class VariationalModel(GenerativeModel):
    """A VAE: q(z|x) is a diagonal Gaussian, p(z) = N(0, I), p(x|z) a normalised likelihood.

    x is what the recipe feeds it. Images: uint8 (batch, channels, height, width) grey levels.
    Texts: int64 (batch, longest + 2) from :func:`genline.data.prepared.pad_texts`.
    """

    latent: int  # dimensions of z

    @property
    def modelled(self) -> Modelled:
        """What :meth:`log_likelihood` is of."""
        return Modelled()

    @abstractmethod
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each float32 (batch, latent)."""

    @abstractmethod
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats, float32 (batch,); a text's counts its end mark, not its begin.

        z: (batch, latent), or (draws, batch, latent) giving (draws, batch).
        """


@runtime_checkable
class TractableModel(Protocol):
    """A model whose likelihood is computed exactly, such as a language model's."""

    def log_probability(self, x: Tensor, variant: str | None = None) -> Tensor:
        """log p(x) under ``variant`` (None: the default) in nats, float32 (batch,).

        x: int64 (batch, longest + 2) padded texts; the end mark counts, the begin mark does not.
        """


@runtime_checkable
class ClassConditional(Protocol):
    """A model of images that may have been trained with their labels.

    Where ``classes`` is not 0 its ``sample`` takes ``labels``, int64 (count,), as a keyword;
    without them it draws them with the frequencies of the training data.
    """

    classes: int  # labels it knows, 0..classes−1; 0: it was trained without


def check_labels(labels: Tensor, count: int, classes: int) -> Tensor:
    """``labels`` for ``count`` samples of a model that knows ``classes``.

    Raises ModelError where they do not fit.
    """
    if not classes:
        raise ModelError("the model was trained without labels: ask for samples without")
    if labels.shape != (count,):
        raise ModelError(f"{count} samples want {count} labels, found {tuple(labels.shape)}")
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise ModelError(f"no label {int(wrong[0])}; use 0 to {classes - 1}")
    return labels


@runtime_checkable
class Coded(Protocol):
    """A model of images whose noise may hold codes, each of which can be set.

    Its ``sample`` takes ``fixed``, the value of codes by their number, as a keyword; the others
    are drawn.
    """

    def code_values(self, code: int) -> list[float]:
        """What ``code`` may be, in order: its categories, or steps from −1 to 1.

        Raises ModelError where there is no such code.
        """


@runtime_checkable
class LabelReader(Protocol):
    """A VAE whose x holds, if it is class-conditional, the label of each image."""

    classes: int  # labels it knows; 0: it was trained without

    def labelled(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """x from uint8 images (batch, channels, height, width) and int64 labels (batch,)."""


@runtime_checkable
class ImageDecoder(Protocol):
    """A VAE of images that decodes a given z, so that it can show reconstructions."""

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """uint8 (batch, channels, height, width) of z (batch, latent).

        labels: int64 (batch,), of a class-conditional model alone.
        """


@runtime_checkable
class ImageAutoencoder(Protocol):
    """A model of images without a likelihood that encodes and decodes them all the same."""

    def encode(self, images: Tensor) -> Tensor:
        """z (batch, latent) of uint8 (batch, channels, height, width)."""

    def decode(self, z: Tensor) -> Tensor:
        """uint8 (batch, channels, height, width) of z (batch, latent)."""


@runtime_checkable
class TextDecoder(Protocol):
    """A VAE of texts that decodes a given z."""

    def decode(self, z: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """int64 (batch, at most max_tokens + 1) of z (batch, latent)."""
