"""What is said of an image VAE depends on what its likelihood is of."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from judged_digits import Digits

from genline import parameters
from genline.core.errors import ParamsError
from genline.evaluation import images
from genline.evaluation.config import EvaluateImages
from genline.evaluation.record import Findings
from genline.models.image_vae import build
from genline.models.image_vae.config import Model
from genline.models.image_vae.model import ImageVAE
from genline.models.initialisation import seeded

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
    directed = {n for n, m in found[name].metrics.items() if m.better in ("lower", "higher")}
    allowed = set(parameters._of_image_vae(MODEL.model_copy(update=KINDS[name])))
    assert allowed <= directed
    assert all(n.startswith(("memorisation", "copied")) for n in directed - allowed)


def test_bits_of_a_density_are_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = Path(__file__).parents[2]
    params = yaml.safe_load((root / "params.yaml").read_text())
    experiment = params["experiments"]["digits-vae"]
    experiment["model"]["likelihood"] = "gaussian"
    monkeypatch.chdir(root)
    for metric, words in (
        ("bits_per_dimension", "by which no such model"),
        ("nll", "known: .*nll_density"),
        ("fid_two_stage", "known: .*fid_prior"),
    ):
        experiment["register"]["metric"] = metric
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        with pytest.raises(ParamsError, match=words):
            parameters.check(tmp_path / "params.yaml")
