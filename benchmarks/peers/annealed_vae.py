"""What `text_vae.py` holds genline's text VAE against: the LSTM VAE of He et al. 2019, annealed.

Written anew after the paper's section 4 and appendix for its baseline: a plain LSTM in both
networks, each with embeddings of its own, z at every input and in the first state, dropout of 0.5,
SGD at 1.0 halved where validation stops to improve, β from 0.1 to 1 in ten epochs, batches of 32
texts of one length. 256 units in place of 1,024, and 32 latents.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from genline.core.seeds import numpy_generator
from genline.data.prepared import EOS, PAD, PreparedTexts, TextSplit
from genline.models.base import VariationalModel
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal

UNITS, LATENT, BATCH, DROPOUT, CLIP = 256, 32, 32, 0.5, 5.0
WARM_UP, START = 10, 0.1  # epochs in which β rises, and from where
PATIENCE, FIRST_DECAY = 2, 15  # epochs without improvement that halve the rate, and from when on


class AnnealedVAE(VariationalModel):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.latent = LATENT
        self.read_embedding = nn.Embedding(vocabulary, UNITS)
        self.encoder = nn.LSTM(UNITS, UNITS, batch_first=True)
        self.heads = nn.Linear(UNITS, 2 * LATENT, bias=False)
        self.write_embedding = nn.Embedding(vocabulary, UNITS)
        self.first = nn.Linear(LATENT, UNITS, bias=False)
        self.decoder = nn.LSTM(UNITS + LATENT, UNITS, batch_first=True)
        self.words = nn.Linear(UNITS, vocabulary, bias=False)
        for name, parameter in self.named_parameters():
            nn.init.uniform_(parameter, *((-0.1, 0.1) if "embedding" in name else (-0.01, 0.01)))

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        raise TypeError("this peer is held against likelihoods alone")

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states, _ = self.encoder(self.read_embedding(x))
        ends = (x == EOS).int().argmax(1)  # the state that has read the whole text, no padding
        mean, log_variance = self.heads(states[torch.arange(len(x)), ends]).chunk(2, -1)
        return mean, log_variance

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        if z.dim() == 3:
            return torch.stack([self.log_likelihood(x, one) for one in z])
        embedded = functional.dropout(self.write_embedding(x[:, :-1]), DROPOUT, self.training)
        each = z[:, None].expand(-1, embedded.shape[1], -1)
        cell = self.first(z)[None]
        states, _ = self.decoder(torch.cat([embedded, each], -1), (cell.tanh(), cell))
        logits = self.words(functional.dropout(states, DROPOUT, self.training))
        flat = functional.cross_entropy(
            logits.flatten(0, 1), x[:, 1:].flatten(), ignore_index=PAD, reduction="none"
        )
        return -flat.view(len(x), -1).sum(1)

    def bound(self, x: Tensor, beta: float, noise: torch.Generator) -> Tensor:
        """−ELBO of each text with β before its KL, nats (batch,)."""
        mean, log_variance = self.posterior(x)
        z = draw_posterior(mean, log_variance, noise)
        kl = kl_to_standard_normal(mean, log_variance).sum(-1)
        return -self.log_likelihood(x, z) + beta * kl


@dataclass(frozen=True)
class Done:
    model: AnnealedVAE
    seconds: float
    epochs: float


def annealed(data: PreparedTexts, seconds: float, seed: int) -> Done:
    """The state that validated best within so many seconds of one core, validating included."""
    torch.manual_seed(seed)
    noise = torch.Generator().manual_seed(seed)
    random = numpy_generator(seed, "order")
    model = AnnealedVAE(data.spec.vocabulary)
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    train, valid = (_of_one_length(data.split(name), random) for name in ("train", "valid"))
    rise = (1 - START) / (WARM_UP * len(train))
    best, kept, waited, steps, beta = np.inf, copy.deepcopy(model.state_dict()), 0, 0, START
    began, over = time.process_time(), False
    while not over:
        model.train()
        for i in random.permutation(len(train)):
            beta = min(1.0, beta + rise)
            loss = model.bound(train[i], beta, noise).mean()
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            steps += 1
            if over := time.process_time() - began >= seconds:
                break
        model.eval()
        with torch.no_grad():
            nats = torch.cat([model.bound(x, 1.0, noise) for x in valid]).mean().item()
        # Each state is held against the best one, and the rate falls from epoch 15 on.
        waited = 0 if nats < best else waited + 1
        if nats < best:
            best, kept = nats, copy.deepcopy(model.state_dict())
        elif waited >= PATIENCE and steps >= FIRST_DECAY * len(train):
            waited = 0
            model.load_state_dict(kept)
            optimizer.param_groups[0]["lr"] *= 0.5
    spent = time.process_time() - began
    model.load_state_dict(kept)
    return Done(model.eval().requires_grad_(False), spent, steps / len(train))


def _of_one_length(texts: TextSplit, random: np.random.Generator) -> list[Tensor]:
    """Batches of texts of one length, so without padding; those that remain are smaller ones."""
    batches = []
    for length in np.unique(texts.lengths):
        rows = random.permutation(np.flatnonzero(texts.lengths == length))
        for start in range(0, len(rows), BATCH):
            batches.append(torch.tensor(texts.batch(rows[start : start + BATCH])))
    return batches
