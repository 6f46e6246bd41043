"""The peers' network shapes, written plainly, as entries of genline's own registries.

So that architecture, batch and precision are equal and only the loops differ. The shapes are those
of the tables and printed layers of pythae's MNIST networks and of SNGAN (Miyato et al. 2018,
table 3) in mimicry's widths for 32×32.
"""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn

from genline.models.image_gan.generators import GENERATORS
from genline.models.image_vae.networks.registry import NETWORKS, Network
from genline.models.networks.image_encoders import ENCODERS


class Residual(nn.Module):
    """pythae's block: 3×3 to a quarter of the channels, 1×1 back, added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def halving(inputs: int, outputs: int, kernel: int = 4) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel, 2, padding=1)


def doubling(inputs: int, outputs: int, more: int = 1) -> nn.Module:
    return nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=more)


def normed(layer: nn.Module, width: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(width), nn.ReLU()]


# The last rectifier is tanh where pythae has a sigmoid: genline's pixels are in [−1, 1].


def mlp_encoder(latent: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 2 * latent))


def mlp_decoder(latent: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(latent, 512),
        nn.ReLU(),
        nn.Linear(512, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )


def conv_encoder(latent: int) -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 128), (128, 256), (256, 512), (512, 1024)):
        layers += normed(halving(inputs, outputs), outputs)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 2 * latent))


def conv_decoder(latent: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(latent, 1024 * 4 * 4),
        nn.Unflatten(1, (1024, 4, 4)),
        *normed(doubling(1024, 512, 0), 512),
        *normed(doubling(512, 256), 256),
        doubling(256, 1),
        nn.Tanh(),
    )


def resnet_encoder(latent: int) -> nn.Module:
    return nn.Sequential(
        halving(1, 64),
        halving(64, 128),
        halving(128, 128, 3),
        Residual(128),
        Residual(128),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 2 * latent),
    )


def resnet_decoder(latent: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(latent, 128 * 4 * 4),
        nn.Unflatten(1, (128, 4, 4)),
        doubling(128, 128, 0),
        Residual(128),
        Residual(128),
        nn.ReLU(),
        doubling(128, 64),
        nn.ReLU(),
        doubling(64, 1),
        nn.Tanh(),
    )


class Upwards(nn.Module):
    """A generator's block of SNGAN: batch normalisation, rectifier, doubling, 3×3, twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.skip = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.skip(functional.interpolate(x, scale_factor=2))


class SNGANGenerator(nn.Module):
    """z of 128 to 32×32×3 by three blocks of 256 channels."""

    def __init__(self, width: int = 256, latent: int = 128) -> None:
        super().__init__()
        self.stem = nn.Linear(latent, width * 4 * 4)
        self.body = nn.Sequential(*(Upwards(width) for _ in range(3)))
        self.head = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh()
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.head(self.body(self.stem(z).unflatten(1, (-1, 4, 4))))


class Downwards(nn.Module):
    """A discriminator's block of SNGAN; the first reads pixels, the last two keep the size."""

    def __init__(self, inputs: int, width: int, halve: bool, first: bool = False) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.one = nn.Conv2d(inputs, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)
        self.skip = nn.Conv2d(inputs, width, 1) if halve else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.two(functional.relu(self.one(x if self.first else functional.relu(x))))
        if not self.halve:
            return h + x
        if self.first:
            return functional.avg_pool2d(h, 2) + self.skip(functional.avg_pool2d(x, 2))
        return functional.avg_pool2d(h, 2) + functional.avg_pool2d(self.skip(x), 2)


class SNGANBody(nn.Module):
    """32×32×3 to 128 features, summed over places."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.features = width
        self.blocks = nn.Sequential(
            Downwards(3, width, halve=True, first=True),
            Downwards(width, width, halve=True),
            Downwards(width, width, halve=False),
            Downwards(width, width, halve=False),
        )

    def forward(self, images: Tensor) -> Tensor:
        return functional.relu(self.blocks(images)).sum((2, 3))


def register() -> None:
    """Make the shapes known to genline under names that no parameters file allows."""
    for name, encoder, decoder in (
        ("mlp", mlp_encoder, mlp_decoder),
        ("conv", conv_encoder, conv_decoder),
        ("resnet", resnet_encoder, resnet_decoder),
    ):
        NETWORKS[f"pythae-{name}"] = Network(
            lambda model, _, make=encoder: make(model.latent),
            lambda model, _, make=decoder: make(model.latent),
            28,
        )
    GENERATORS["sngan"] = lambda model, spec: SNGANGenerator(latent=model.latent)
    ENCODERS["sngan"] = lambda *_: SNGANBody()
