"""Images of black and white, and how images of grey become such, once and for all."""

from __future__ import annotations

import torch
from torch import Tensor

from genline.models.base import Modelled
from genline.models.image_vae.likelihoods.base import Likelihood
from genline.models.image_vae.likelihoods.binomial import Binomial

# Multipliers and shifts of SplitMix64 (Steele et al. 2014), as signed 64-bit integers.
_STEP = -0x61C8864680B583EB
_MIX = ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15))


class Bernoulli(Likelihood):
    """b ~ Bernoulli(sigmoid(parameters)) of an image made black and white; see :func:`binarise`.

    x is still given in grey levels: it is made black and white here, always the same way, so that
    what is encoded and what is scored is one image. The mean p is shown as a grey level, as is
    usual; a draw is black or white.
    """

    outputs = 1

    def __init__(self, levels: int, seed: int) -> None:
        super().__init__(levels)
        self.seed, self.binary = seed, Binomial(2)

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        return self.binary.log_prob(parameters, self.seen(x))

    def mean(self, parameters: Tensor) -> Tensor:
        return torch.sigmoid(parameters.float()) * (self.levels - 1)

    def draw(self, parameters: Tensor, generator: torch.Generator) -> Tensor:
        return self.binary.draw(parameters, generator) * (self.levels - 1)

    def seen(self, x: Tensor) -> Tensor:
        """x in 0 and 1: itself where there are but two levels."""
        return x if self.levels == 2 else binarise(x, self.levels, self.seed)

    @property
    def modelled(self) -> Modelled:
        if self.levels == 2:
            return Modelled()
        return Modelled(
            "binary",
            "Of the images in black and white: each value of each image was drawn once, white with "
            f"its grey level over {self.levels - 1} as the probability (static binarisation, seed "
            f"{self.seed}).",
        )


def binarise(x: Tensor, levels: int, seed: int) -> Tensor:
    """Each value 1 with probability x / (levels − 1), else 0: uint8, the shape of x.

    Static binarisation, as Salakhutdinov & Murray 2008 did with MNIST: an image has one binary
    version for good. It is a hash of the whole image, the place of the value and ``seed``, so it
    hangs on neither batch nor order nor device and needs no file beside the data.

    x: uint8 (batch, channels, height, width).
    """
    flat = x.flatten(1).long()
    places = torch.arange(1, flat.shape[1] + 1, device=x.device)
    keys = _mixed(places * _STEP + seed)
    image = (flat * keys).sum(1, keepdim=True)
    # The top 24 of 64 bits, which float32 holds exactly.
    uniform = (_mixed(_mixed(image) + keys) >> 40 & 0xFFFFFF).float() / 2**24
    return (uniform * (levels - 1) < flat).to(torch.uint8).reshape(x.shape)


def _mixed(bits: Tensor) -> Tensor:
    """SplitMix64's finaliser on int64, whose products wrap around as unsigned ones do."""
    for shift, multiplier in _MIX:
        bits = (bits ^ _shifted(bits, shift)) * multiplier
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, by: int) -> Tensor:
    """A shift to the right that fills with zeros; torch's own repeats the sign."""
    return bits >> by & (1 << 64 - by) - 1
