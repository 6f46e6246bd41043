"""The text VAE as evaluation sees it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genline.core.errors import ModelError
from genline.data.prepared import ImageSpec, TextSpec, pad_texts
from genline.models import text_vae
from genline.models.initialisation import seeded
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal
from genline.models.networks.lstm_decoder import LSTMDecoder
from genline.models.store import load_model, save_model
from genline.models.text_vae.config import Model
from genline.models.text_vae.model import LSTMTextVAE

SPEC = TextSpec(vocabulary=13, max_tokens=6)
MODEL = Model(network="lstm", embedding=6, encoder=5, decoder=8, latent=3)


@pytest.fixture
def vae() -> LSTMTextVAE:
    with seeded(7):
        model = text_vae.build(MODEL, SPEC)
    assert isinstance(model, LSTMTextVAE)
    return model.requires_grad_(False).eval()


@pytest.fixture
def texts() -> Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(pad_texts([random.integers(4, 13, n) for n in (2, 6, 4, 1)]))


def importance_weighted(vae: LSTMTextVAE, x: Tensor, draws: int) -> tuple[Tensor, Tensor]:
    """ELBO by averaging log-weights, and their log-mean-exp: both (batch,)."""
    mean, log_variance = vae.posterior(x)
    z = draw_posterior(mean, log_variance, torch.Generator().manual_seed(1), draws)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    proposal = torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(z).sum(-1)
    weights = vae.log_likelihood(x, z) + prior - proposal
    return weights.mean(0), torch.logsumexp(weights, 0) - math.log(draws)


def test_shapes_of_posterior_likelihood_and_samples(vae: LSTMTextVAE, texts: Tensor) -> None:
    mean, log_variance = vae.posterior(texts)
    assert mean.shape == log_variance.shape == (4, 3) and mean.dtype == torch.float32
    assert vae.log_likelihood(texts, mean).shape == (4,)
    assert vae.log_likelihood(texts, mean.expand(5, -1, -1)).shape == (5, 4)
    samples = vae.sample(9, torch.Generator().manual_seed(0))
    assert samples.dtype == torch.int64 and samples.shape[0] == 9 and samples.shape[1] <= 7


def test_elbo_is_at_most_the_importance_weighted_bound(vae: LSTMTextVAE, texts: Tensor) -> None:
    elbo, bound = importance_weighted(vae, texts, 64)
    assert torch.all(elbo <= bound)


def test_a_decoder_that_ignores_the_latent_is_exactly_a_language_model(
    vae: LSTMTextVAE, texts: Tensor
) -> None:
    decoder = vae.decoder
    decoder.initial.weight.zero_(), decoder.initial.bias.zero_()
    decoder.lstm.weight_ih_l0[:, MODEL.embedding :] = 0.0
    plain = LSTMDecoder(SPEC.vocabulary, MODEL.embedding, MODEL.decoder)
    state = {k: v for k, v in decoder.state_dict().items() if not k.startswith("initial")}
    state["lstm.weight_ih_l0"] = state["lstm.weight_ih_l0"][:, : MODEL.embedding]
    plain.load_state_dict(state)
    vae.heads.weight.zero_(), vae.heads.bias.zero_()  # q = prior: every weight is p(x)
    elbo, bound = importance_weighted(vae, texts, 8)
    torch.testing.assert_close(bound, plain.log_likelihood(texts))
    torch.testing.assert_close(elbo, plain.log_likelihood(texts))
    mean, log_variance = vae.posterior(texts)
    assert float(kl_to_standard_normal(mean, log_variance).abs().max()) == 0.0


def test_a_row_s_posterior_does_not_depend_on_its_batch(vae: LSTMTextVAE, texts: Tensor) -> None:
    mean, log_variance = vae.posterior(texts)
    alone_mean, alone_log_variance = vae.posterior(texts[:1, :4])
    torch.testing.assert_close(mean[:1], alone_mean)
    torch.testing.assert_close(log_variance[:1], alone_log_variance)


def test_samples_are_functions_of_the_generator(vae: LSTMTextVAE) -> None:
    first, second, other = (vae.sample(20, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, second) and first.tolist() != other.tolist()


def test_a_sample_s_text_follows_from_its_own_latent(vae: LSTMTextVAE) -> None:
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 3
    changed = z.clone()
    changed[0] += 5.0
    first, second = (vae.decode(v, torch.Generator().manual_seed(1)) for v in (z, changed))
    width = min(first.shape[1], second.shape[1])
    assert torch.equal(first[1:, :width], second[1:, :width])


def test_an_unknown_sampler_is_refused(vae: LSTMTextVAE) -> None:
    with pytest.raises(ModelError, match="prior"):
        vae.sample(1, torch.Generator(), variant="priro")


def test_a_stored_model_is_the_same_model(vae: LSTMTextVAE, texts: Tensor, tmp_path: Path) -> None:
    save_model(tmp_path, "text_vae", MODEL, SPEC, vae.state_dict())
    loaded = load_model(tmp_path).model
    assert isinstance(loaded, LSTMTextVAE)
    z = torch.ones(4, 3)
    assert torch.equal(loaded.log_likelihood(texts, z), vae.log_likelihood(texts, z))
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    assert torch.equal(loaded.sample(8, generators[0]), vae.sample(8, generators[1]))


def test_a_dataset_of_images_is_refused() -> None:
    with pytest.raises(ModelError, match="images"):
        text_vae.build(MODEL, ImageSpec(1, 8, 8, 17, 10))
