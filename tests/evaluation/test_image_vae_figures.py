"""What is said of an image VAE depends on what its likelihood is of."""

import math

import numpy as np
import pytest
import torch
from judged_digits import Digits

from genline import parameters
from genline.evaluation import images
from genline.evaluation.config import EvaluateImages
from genline.evaluation.record import Findings
from genline.models.image_vae import build
from genline.models.image_vae.config import Model, Train
from genline.models.image_vae.model import ImageVAE
from genline.models.initialisation import seeded
from genline.tracking.config import Register

PARAMS = EvaluateImages(draws=5, importance_samples=4, shown=20)
CPU = torch.device("cpu")
MODEL = Model(
    network="mlp",
    width=16,
    blocks=1,
    latent=3,
    likelihood="binomial",
    pixels="draw",
    gmm_components=[2],
)
TRAIN = Train(
    steps=1,
    batch=2,
    learning_rate=0.1,
    weight_decay=0.0,
    beta=1.0,
    kl_warmup=0.0,
    free_bits=0.0,
    clip=1.0,
    ema=0.0,
    validate_every=1,
    gmm_draws=1,
    gmm_regularisation=0.01,
)
KINDS = {
    "density": {"likelihood": "gaussian"},
    "binary": {"likelihood": "bernoulli", "binarise": "static"},
    "": {"conditional": True, "samplers": ["prior", "two_stage"]},
}


def make(digits: Digits, name: str) -> ImageVAE:
    with seeded(1):
        return build(MODEL.model_copy(update=KINDS[name]), digits.data.spec).eval()


@pytest.fixture(scope="module")
def found(digits: Digits) -> dict[str, Findings]:
    return {
        name: images.evaluate(make(digits, name), digits.evaluator, digits.data, PARAMS, 5, CPU)
        for name in KINDS
    }


def test_a_density_has_no_bits_and_says_why(found: dict[str, Findings]):
    metrics = found["density"].metrics
    assert not [name for name in metrics if name.startswith("bits_per_dimension")]
    assert "nll" not in metrics
    assert "no bits per dimension" in metrics["nll_density"].about


def test_a_binarised_likelihood_is_told_apart_and_says_so(found: dict[str, Findings]):
    metrics, items = found["binary"].metrics, found["binary"].items
    assert not {"nll", "elbo", "bits_per_dimension"} & set(metrics)
    assert "static binarisation, seed 0" in metrics["nll_binary"].about
    bits = metrics["bits_per_dimension_binary"]
    assert bits.value == pytest.approx(metrics["nll_binary"].value / 64 / math.log(2))
    assert "black and white" in bits.about
    assert "grey levels themselves" not in bits.about
    assert items is not None
    statistic = items.statistic("bits_per_dimension_binary")
    assert statistic is not None
    assert statistic(np.arange(len(items))) == pytest.approx(bits.value)
    # An untrained network says hardly more than that every pixel is black or white.
    assert bits.value == pytest.approx(1.0, abs=0.2)


def test_the_figures_of_a_conditional_model_are_of_image_and_label(
    found: dict[str, Findings], digits: Digits
):
    metrics = found[""].metrics
    assert "ln p(x, y)" in metrics["nll"].about
    assert "grey levels themselves" in metrics["bits_per_dimension"].about
    assert "fid_two_stage" in metrics
    grids = images.shown(make(digits, ""), digits.data, 20, 1, CPU)
    assert set(grids) == {"samples", "samples_two_stage", "real", "reconstructions"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_gate_may_compare_by_what_evaluation_gives(found: dict[str, Findings], name: str):
    experiment = parameters._ImageVae.model_validate(
        {
            "dataset": "digits",
            "family": "image_vae",
            "model": MODEL.model_copy(update=KINDS[name]),
            "train": TRAIN,
            "evaluate": PARAMS,
            "register": Register(metric="fid", margin=0.0),
        }
    )
    directed = {n for n, m in found[name].metrics.items() if m.better in ("lower", "higher")}
    allowed = set(parameters._metrics("image_vae", experiment))
    assert allowed <= directed
    assert {n for n in directed - allowed if not n.startswith(("memorisation", "copied"))} == set()
