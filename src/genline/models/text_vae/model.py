"""The text VAE: posterior, likelihood and samples."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from genline.data.prepared import TextSpec
from genline.models.base import VariationalModel
from genline.models.networks.decoding import sample_texts
from genline.models.networks.lstm_decoder import LSTMDecoder
from genline.models.networks.lstm_encoder import LSTMEncoder
from genline.models.text_vae.config import Model


class LSTMTextVAE(VariationalModel):
    """Bowman et al. 2016: an LSTM encoder, an LSTM decoder and a Gaussian latent between them.

    Both read tokens through one embedding, which is the output layer too. A sample is drawn
    token by token from p(x|z) at z ~ N(0, I).
    """

    variants: ClassVar[tuple[str, ...]] = ("prior",)

    def __init__(self, model: Model, spec: TextSpec) -> None:
        super().__init__()
        self.latent, self.spec = model.latent, spec
        self.encoder = LSTMEncoder(model.embedding, model.encoder)
        self.heads = nn.Linear(self.encoder.features, 2 * model.latent)
        self.decoder = LSTMDecoder(spec.vocabulary, model.embedding, model.decoder, model.latent)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each float32 (batch, latent); x int64, padded."""
        features = self.encoder(self.decoder.embed(x.T), x)
        mean, log_variance = self.heads(features).float().chunk(2, -1)
        return mean, log_variance

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats: (batch,), or (draws, batch) for z of (draws, batch, latent)."""
        return self.decoder.log_likelihood(x, z)

    def decode(self, z: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Texts drawn from p(x|z), int64 (batch, at most max_tokens + 1); z (batch, latent)."""
        return sample_texts(
            lambda tokens, state: self.decoder.step(tokens, state, z),
            self.decoder.start(len(z), z),
            len(z),
            self.spec.max_tokens,
            generator,
            temperature,
            z.device,
        )

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        self.check_variant(variant)
        z = torch.randn(count, self.latent, generator=generator, device=generator.device)
        return self.decode(z.to(self.decoder.bias.device), generator, temperature)


NETWORKS = {"lstm": LSTMTextVAE}
