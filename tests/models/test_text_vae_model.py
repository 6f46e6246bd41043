"""The text VAE as evaluation sees it."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from genline.core.errors import ModelError, ParamsError
from genline.core.params import parse_section
from genline.data.prepared import ImageSpec, TextSpec, pad_texts
from genline.models import text_vae
from genline.models.initialisation import seeded
from genline.models.networks.decoder import Decoder
from genline.models.networks.decoders import DECODERS, Sizes
from genline.models.networks.gaussian import draw_posterior, kl_to_standard_normal
from genline.models.networks.posterior_norm import PosteriorNorm
from genline.models.store import load_model, save_model
from genline.models.text_vae.config import Model, Train
from genline.models.text_vae.model import TextVAE

SPEC = TextSpec(vocabulary=13, max_tokens=6)
MODEL = Model(network="lstm", embedding=6, encoder=6, decoder=8, latent=3)
OPTIONS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "lstm with attention": {"attention": True, "layers": 2},
    "gru": {"network": "gru"},
    "transformer": {"network": "transformer", "layers": 2, "heads": 2},
    "mlp": {"network": "mlp"},
    "batch norm": {"batch_norm": 0.5},
}


@pytest.fixture(params=OPTIONS)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    chosen: dict[str, Any] = OPTIONS[request.param]
    return chosen


@pytest.fixture
def vae(options: dict[str, Any]) -> TextVAE:
    with seeded(7):
        model = text_vae.build(MODEL.model_copy(update=options), SPEC)
    assert isinstance(model, TextVAE)
    return model.requires_grad_(False).eval()


@pytest.fixture
def texts() -> Tensor:
    random = np.random.default_rng(0)
    return torch.from_numpy(pad_texts([random.integers(4, 13, n) for n in (2, 6, 4, 1)]))


def importance_weighted(vae: TextVAE, x: Tensor, draws: int) -> tuple[Tensor, Tensor]:
    """ELBO by averaging log-weights, and their log-mean-exp: both (batch,)."""
    mean, log_variance = vae.posterior(x)
    z = draw_posterior(mean, log_variance, torch.Generator().manual_seed(1), draws)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    proposal = torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(z).sum(-1)
    weights = vae.log_likelihood(x, z) + prior - proposal
    return weights.mean(0), torch.logsumexp(weights, 0) - math.log(draws)


def test_shapes_of_posterior_likelihood_and_samples(vae: TextVAE, texts: Tensor) -> None:
    mean, log_variance = vae.posterior(texts)
    assert mean.shape == log_variance.shape == (4, 3) and mean.dtype == torch.float32
    assert vae.log_likelihood(texts, mean).shape == (4,)
    assert vae.log_likelihood(texts, mean.expand(5, -1, -1)).shape == (5, 4)
    samples = vae.sample(9, torch.Generator().manual_seed(0))
    assert samples.dtype == torch.int64 and samples.shape[0] == 9 and samples.shape[1] <= 7


def test_elbo_is_at_most_the_importance_weighted_bound(vae: TextVAE, texts: Tensor) -> None:
    elbo, bound = importance_weighted(vae, texts, 64)
    assert torch.all(elbo <= bound)


def language_model(decoder: Decoder, options: dict[str, Any]) -> Decoder:
    """The same network without a latent: the weights that read z are left away."""
    section = MODEL.model_copy(update=options)
    sizes = Sizes(
        SPEC.vocabulary,
        SPEC.max_tokens,
        section.embedding,
        section.decoder,
        layers=section.layers,
        heads=section.heads,
        attention=section.attention,
    )
    plain = DECODERS[section.network](sizes).requires_grad_(False)
    state = decoder.state_dict()
    for name, value in plain.state_dict().items():
        value.copy_(state[name][tuple(slice(n) for n in value.shape)])
    return plain


def test_a_decoder_that_ignores_the_latent_is_exactly_a_language_model(
    vae: TextVAE, texts: Tensor, options: dict[str, Any]
) -> None:
    decoder = vae.decoder
    plain = language_model(decoder, options)
    with_z = [n for n, _ in decoder.named_modules() if n in ("initial", "added", "memory", "layer")]
    for name, parameter in decoder.named_parameters():
        if name.split(".")[0] in with_z:
            parameter.zero_()
        elif name.endswith("weight_ih_l0"):
            parameter[:, MODEL.embedding :] = 0.0
    vae.heads.weight.zero_(), vae.heads.bias.zero_()  # q = prior: every weight is p(x)
    elbo, bound = importance_weighted(vae, texts, 8)
    torch.testing.assert_close(bound, plain.log_likelihood(texts))
    torch.testing.assert_close(elbo, plain.log_likelihood(texts))
    mean, log_variance = vae.posterior(texts)
    assert float(kl_to_standard_normal(mean, log_variance).abs().max()) == 0.0


def test_a_row_s_posterior_does_not_depend_on_its_batch(vae: TextVAE, texts: Tensor) -> None:
    mean, log_variance = vae.posterior(texts)
    alone_mean, alone_log_variance = vae.posterior(texts[:1, :4])
    torch.testing.assert_close(mean[:1], alone_mean)
    torch.testing.assert_close(log_variance[:1], alone_log_variance)


def test_samples_are_functions_of_the_generator(vae: TextVAE) -> None:
    first, second, other = (vae.sample(20, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, second) and first.tolist() != other.tolist()


def test_a_sample_s_text_follows_from_its_own_latent(vae: TextVAE) -> None:
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 3
    changed = z.clone()
    changed[0] += 5.0
    first, second = (vae.decode(v, torch.Generator().manual_seed(1)) for v in (z, changed))
    width = min(first.shape[1], second.shape[1])
    assert torch.equal(first[1:, :width], second[1:, :width])


def test_an_unknown_sampler_is_refused(vae: TextVAE) -> None:
    with pytest.raises(ModelError, match="prior"):
        vae.sample(1, torch.Generator(), variant="priro")


def test_a_stored_model_is_the_same_model(
    vae: TextVAE, texts: Tensor, options: dict[str, Any], tmp_path: Path
) -> None:
    save_model(tmp_path, "text_vae", MODEL.model_copy(update=options), SPEC, vae.state_dict())
    loaded = load_model(tmp_path).model
    assert isinstance(loaded, TextVAE)
    z = torch.ones(4, 3)
    assert torch.equal(loaded.log_likelihood(texts, z), vae.log_likelihood(texts, z))
    assert torch.equal(loaded.posterior(texts)[0], vae.posterior(texts)[0])
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    assert torch.equal(loaded.sample(8, generators[0]), vae.sample(8, generators[1]))


def test_a_batch_norm_keeps_the_divergence_above_its_floor() -> None:
    """Means that all but coincide, as those of a collapsed encoder do, are spread out again."""
    norm = PosteriorNorm(4, 0.6)
    means = 1e-2 * torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) + 3.0
    norm.shift.data.fill_(0.1)
    floor = 4 * 0.6**2 / 2
    in_training = kl_to_standard_normal(norm(means), torch.zeros(500, 4)).sum(1).mean()
    assert in_training.item() == pytest.approx(floor + 4 * 0.1**2 / 2, rel=1e-3)
    norm.eval().take_statistics(means)
    outside = norm(means)
    expected = torch.full((4,), 0.6**2 * 499 / 500 + 0.1**2)
    torch.testing.assert_close(outside.square().mean(0), expected, rtol=1e-3, atol=0)
    torch.testing.assert_close(outside[:1], norm(means[:1]))


def test_a_batch_norm_s_scale_is_not_learnt() -> None:
    assert [name for name, _ in PosteriorNorm(4, 0.6).named_parameters()] == ["shift"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"network": "transformer", "attention": True}, "which is made of it; leave it out"),
        ({"network": "mlp", "attention": True}, "attention is for network lstm or gru"),
        ({"network": "mlp", "layers": 2}, "layers is 2, but network mlp has one"),
        ({"network": "lstm", "heads": 2}, "heads is 2, which only network transformer has"),
        (
            {"network": "transformer", "heads": 4, "encoder": 8, "decoder": 10},
            "decoder is 10, which 4 heads cannot share; use a multiple, such as 8",
        ),
        ({"latent": 0}, "latent is 0; wanted: a whole number from 1 to 4096"),
        ({"network": "lstn"}, "did you mean 'lstm'"),
    ],
)
def test_a_network_that_cannot_be_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ParamsError, match=re.escape(words)) as caught:
        parse_section(Model, MODEL.model_dump() | wrong, "experiments.x.model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"kl_cycles": 4}, {"encoder_updates": 2}])
def test_what_goes_with_a_rising_beta_is_refused_without_one(wrong: dict[str, Any]) -> None:
    params = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    train = params["experiments"]["docstrings-vae"]["train"] | wrong
    parse_section(Train, train, "train")
    with pytest.raises(ParamsError, match="kl_warmup is 0 and beta 1; set both above 0"):
        parse_section(Train, train | {"kl_warmup": 0.0}, "train")


def test_a_dataset_of_images_is_refused() -> None:
    with pytest.raises(ModelError, match="images"):
        text_vae.build(MODEL, ImageSpec(1, 8, 8, 17, 10))
