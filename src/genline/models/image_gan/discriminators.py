"""Discriminators: a body that reads an image into features, and a head that judges them.

Another body is another entry of :data:`genline.models.networks.image_encoders.ENCODERS`. All map
(batch, channels, height, width) in [−1, 1] to (batch,), larger for images taken as real.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from genline.data.prepared import ImageSpec
from genline.models.image_gan import config
from genline.models.image_gan.codes import CodeReader
from genline.models.networks.image_encoders import image_encoder
from genline.models.networks.minibatch_discrimination import MinibatchDiscrimination
from genline.models.networks.mlp import mlp
from genline.models.networks.spectral import normalise_spectra


class Discriminator(nn.Module):
    """Features to one output, with the class projected on them where there is one.

    The projection is that of Miyato & Koyama 2018, equation 3: ⟨class vector, features⟩ is added.
    """

    def __init__(self, section: config.Discriminator, spec: ImageSpec, classes: int = 0) -> None:
        super().__init__()
        norm = "none" if section.norm == "spectral" else section.norm
        self.body = image_encoder(
            section.network, spec.shape, section.width, section.layers, norm, section.attention
        )
        self.reader: CodeReader | None = None
        self._add_head(section, spec, cast(int, self.body.features), classes)

    def _add_head(
        self, section: config.Discriminator, spec: ImageSpec, features: int, classes: int
    ) -> None:
        kernels = section.minibatch_kernels
        self.minibatch = MinibatchDiscrimination(features, kernels) if kernels else None
        self.output = nn.Linear(features + kernels, 1)
        self.classes: nn.Embedding | None = None
        if classes:
            self.classes = nn.Embedding(classes, features)
            # As in the authors' code; torch's own start would drown all else in many features.
            nn.init.xavier_uniform_(self.classes.weight)
        self.bounded = section.head == "sigmoid"

    def features(self, images: Tensor) -> Tensor:
        """(batch, features) of images."""
        return cast(Tensor, self.body(images))

    def judge(self, features: Tensor, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """(batch,) of features and the images that they are of; labels int64 (batch,)."""
        read = features if self.minibatch is None else self.minibatch(features)
        outputs = self.output(read).flatten(0)
        if self.classes is not None:
            outputs = outputs + (self.classes(labels) * features).sum(1)
        return torch.sigmoid(outputs) if self.bounded else outputs

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.judge(self.features(images), images, labels)


class EnergyDiscriminator(Discriminator):
    """An autoencoder, whose output is minus its mean squared error a pixel: Zhao et al. 2017, 2.3.

    Its decoder is linear at the end: a tanh has no slope where an image is black or white, and a
    generator of such images, once rebuilt, could be driven from them no more. The class, where
    there is one, is told to the decoder.
    """

    def _add_head(
        self, section: config.Discriminator, spec: ImageSpec, features: int, classes: int
    ) -> None:
        self.told = classes
        self.decoder = mlp([features + classes, section.width, section.width, spec.dimensions])

    def judge(self, features: Tensor, images: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            features = torch.cat([features, functional.one_hot(labels, self.told)], 1)
        rebuilt: Tensor = self.decoder(features)
        return -(rebuilt - images.flatten(1)).square().mean(1)


def make_discriminator(
    section: config.Discriminator,
    spec: ImageSpec,
    *,
    energy: bool = False,
    classes: int = 0,
    codes: config.Codes | None = None,
) -> Discriminator:
    """The discriminator of ``section`` for images of ``spec``.

    energy: for the objective of that name; classes: 0 unless it judges image and label together;
    codes: what it reads of an image, for infogan.
    """
    kind = EnergyDiscriminator if energy else Discriminator
    network = kind(section, spec, classes)
    if section.norm == "spectral":
        normalise_spectra(network)
    # Added last: a norm that holds what judges would keep what reads from ever being sure.
    if codes is not None and codes.size:
        network.reader = CodeReader(cast(int, network.body.features), codes)
    return network
