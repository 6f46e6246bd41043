"""The whole judgement of image models whose quality is known beforehand."""

import math
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import torch
from judged_digits import Digits
from torch import Tensor

from genline.core.errors import DataError
from genline.data.prepared import PreparedImages, load_images
from genline.evaluation import images
from genline.evaluation.config import EvaluateImages, ImageHealth
from genline.evaluation.intervals import jackknife_error
from genline.evaluation.record import Findings
from genline.models.base import GenerativeModel, VariationalModel

PARAMS = EvaluateImages(draws=8, most=10_000, importance_samples=20, shown=25, health=ImageHealth())
CPU = torch.device("cpu")


class Replay(GenerativeModel):
    """Samples are images drawn from a pool, with replacement."""

    variants: ClassVar[tuple[str, ...]] = ("pool", "constant")

    def __init__(self, pool: npt.NDArray[np.uint8]) -> None:
        super().__init__()
        self.pool = torch.tensor(pool)

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        variant: str | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        if self.check_variant(variant) == "constant":
            return self.pool[:1].expand(count, -1, -1, -1)
        return self.pool[torch.randint(len(self.pool), (count,), generator=generator)]


class Blind(VariationalModel, Replay):
    """A VAE whose encoder says nothing and whose decoder does not listen: p(x|z) is uniform."""

    variants: ClassVar[tuple[str, ...]] = ("pool",)
    latent = 2

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(x), 2), torch.zeros(len(x), 2)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return torch.full((*z.shape[:-2], len(x)), -64 * math.log(17))

    def decode(self, z: Tensor) -> Tensor:
        return torch.full((len(z), 1, 8, 8), 8, dtype=torch.uint8)


def judge(model: GenerativeModel, digits: Digits, params: EvaluateImages = PARAMS) -> Findings:
    return images.evaluate(model, digits.evaluator, digits.data, params, 5, CPU)


@pytest.fixture(scope="module")
def perfect(digits: Digits) -> Findings:
    return judge(Replay(digits.fresh), digits)


def test_unseen_real_images_reach_the_floor_of_every_distance(perfect: Findings):
    fid, kid = perfect.metrics["fid"], perfect.metrics["kid"]
    assert fid.floor is not None and kid.floor is not None
    assert fid.value < 2 * fid.floor
    assert abs(kid.value) < 0.1
    for name in ("precision", "recall", "density", "coverage"):
        metric = perfect.metrics[name]
        assert metric.floor is not None
        assert metric.value == pytest.approx(metric.floor, abs=0.1)


def test_unseen_real_images_pass_every_check(perfect: Findings):
    assert [name for name, check in perfect.health.items() if not check.passed] == []
    assert perfect.metrics["memorisation"].value == pytest.approx(1, abs=0.2)


def test_one_image_again_and_again_is_far_off_and_has_no_variety(perfect: Findings):
    assert perfect.metrics["fid_constant"].value > 10 * perfect.metrics["fid"].value
    assert perfect.metrics["recall_constant"].value < 0.1
    assert perfect.metrics["class_kl_constant"].value > 1
    assert "(constant)" in perfect.metrics["fid_constant"].title


def test_every_figure_has_the_count_of_the_test_split_and_lies_in_its_interval(perfect: Findings):
    for name, metric in perfect.metrics.items():
        assert metric.count == (100 if name == "unseen_fid" else 300)
        assert metric.low <= metric.value <= metric.high
        assert metric.about


def test_a_model_without_a_likelihood_has_no_likelihood_figures(perfect: Findings):
    assert not {"nll", "kl", "bits_per_dimension"} & set(perfect.metrics)
    assert "posterior_collapse" not in perfect.health


def test_a_model_of_one_class_fails_by_its_missing_classes(digits: Digits):
    labels = digits.data.split("train").labels
    assert labels is not None
    zeros = digits.data.split("train").images[labels == 0]
    check = judge(Replay(zeros), digits).health["mode_drop"]
    assert not check.passed
    assert "1, 2, 3, 4, 5, 6, 7, 8, 9" in check.reason


def test_copies_of_the_training_images_fail_by_memorisation(digits: Digits):
    found = judge(Replay(digits.data.split("train").images), digits)
    assert not found.health["memorisation"].passed
    assert found.metrics["memorisation"].value == pytest.approx(0, abs=1e-4)


def test_copies_among_new_images_fail_by_their_share(digits: Digits):
    copies = digits.data.split("train").images[:446]  # 39 % of the pool
    found = judge(Replay(np.concatenate([copies, digits.fresh])), digits)
    copied = found.metrics["copied"]
    assert copied.value == pytest.approx(0.39, abs=0.04)
    assert not found.health["copied"].passed
    assert found.metrics["memorisation"].value > 0.55  # the mean of the distances says little


def test_unseen_real_images_have_as_many_near_copies_as_the_floor(perfect: Findings):
    copied = perfect.metrics["copied"]
    assert copied.floor == pytest.approx(3 / 301)
    assert copied.floor_high is not None
    assert copied.value < copied.floor_high


def test_a_vae_that_uses_no_latents_has_a_uniform_likelihood_and_has_collapsed(digits: Digits):
    found = judge(Blind(digits.fresh), digits)
    assert found.metrics["bits_per_dimension"].value == pytest.approx(math.log2(17), rel=1e-6)
    assert found.metrics["nll"].value == pytest.approx(64 * math.log(17), rel=1e-6)
    assert found.metrics["decoder_use"].value == 0
    assert found.metrics["mutual_information"].value == pytest.approx(0, abs=1e-9)
    assert not found.health["posterior_collapse"].passed


def test_the_same_seed_gives_the_same_findings(digits: Digits):
    first, second = (judge(Blind(digits.fresh), digits) for _ in range(2))
    assert first == second


def test_a_larger_test_split_is_cut_to_the_number_asked_for(digits: Digits):
    params = PARAMS.model_copy(update={"most": 50})
    assert judge(Replay(digits.fresh), digits, params).metrics["fid"].count == 50


def test_too_few_test_images_are_refused_in_one_line(digits: Digits, tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for file in digits.data.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    for part in ("images", "labels"):
        np.save(folder / f"test_{part}.npy", np.load(folder / f"test_{part}.npy")[:5])
    data: PreparedImages = load_images(folder)
    with pytest.raises(DataError, match="5 images to compare with, and 6 are the least"):
        images.evaluate(Replay(digits.fresh), digits.evaluator, data, PARAMS, 5, CPU)


def test_reconstructions_stand_below_their_originals(digits: Digits):
    grids = images.shown(Blind(digits.fresh), digits.data, 40, 1, CPU)
    assert set(grids) == {"samples", "real", "reconstructions"}
    pairs = grids["reconstructions"]
    rows = pairs.images.reshape(-1, pairs.columns, 1, 8, 8)
    assert len(rows) == 4
    assert (rows[0] == digits.data.split("test").images[:10]).all()
    assert (rows[1] == 8).all()


def test_other_samplers_are_shown_under_their_names(digits: Digits):
    grids = images.shown(Replay(digits.fresh), digits.data, 25, 1, CPU)
    assert set(grids) == {"samples", "samples_constant", "real"}
    assert all(len(grid.images) == 25 for grid in grids.values())


def test_validation_images_stand_beside_as_many_training_images(perfect: Findings, digits: Digits):
    unseen, fid = perfect.metrics["unseen_fid"], perfect.metrics["fid"]
    assert unseen.count == len(digits.data.split("valid").images)
    assert unseen.floor is not None and fid.floor is not None
    assert unseen.floor > fid.floor  # fewer images, more bias
    assert unseen.better == "none"


def test_every_floor_lies_in_its_interval(perfect: Findings):
    for metric in perfect.metrics.values():
        if metric.floor is not None:
            assert metric.floor_low is not None and metric.floor_high is not None
            assert metric.floor_low < metric.floor < metric.floor_high


def test_the_error_of_fid_covers_samples_and_test_images(perfect: Findings):
    fid = perfect.metrics["fid"]
    assert fid.standard_error > jackknife_error(fid.left_out) > 0


def test_likelihoods_are_kept_image_by_image(digits: Digits):
    found = judge(Blind(digits.fresh), digits)
    assert found.items is not None
    every = np.arange(len(found.items))
    for name in ("nll", "elbo", "bits_per_dimension"):
        statistic = found.items.statistic(name)
        assert statistic is not None
        assert statistic(every) == pytest.approx(found.metrics[name].value, rel=1e-12)


def test_a_model_without_a_likelihood_keeps_none(perfect: Findings):
    assert perfect.items is not None
    assert perfect.items.nats == {}
