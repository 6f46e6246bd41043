"""The numbers that an encoder and a decoder are built around."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """What goes into and out of the two halves of a VAE of images."""

    height: int
    width: int
    planes: int  # that the encoder sees: the channels, and one more that holds a label
    latent: int  # dimensions of z
    codes: int  # numbers the decoder is given: z, and a label's one-hot code
    outputs: int  # planes that the decoder gives

    @property
    def pixels(self) -> int:
        return self.height * self.width
