from dataclasses import replace

import numpy as np
import pytest

from genline.evaluation import health
from genline.evaluation.config import CollapseLimits, CommonHealth
from genline.evaluation.record import Metric
from genline.evaluation.text.health import low_variety

LIMITS = CollapseLimits(kl=1.0, mutual_information=0.5)


def metric(value: float, low: float | None = None, floor: float | None = None) -> Metric:
    low = value if low is None else low
    return Metric("FID", value, 0.1, low, value, 100, floor, "", "lower", "", "")


def latents(kl: float = 9.0, information: float = 4.0, use_low: float = 0.1) -> dict[str, Metric]:
    return {
        "kl": metric(kl),
        "mutual_information": metric(information),
        "decoder_use": metric(0.2, low=use_low),
    }


def test_latents_that_carry_and_are_used_have_not_collapsed():
    assert health.posterior_collapse(latents(), LIMITS).passed


@pytest.mark.parametrize(
    "sick", [{"kl": 0.9}, {"information": 0.4}, {"use_low": 0.0}, {"kl": float("nan")}]
)
def test_each_sign_of_collapse_is_enough(sick: dict[str, float]):
    check = health.posterior_collapse(latents(**sick), LIMITS)
    assert not check.passed
    assert check.reason.startswith("collapsed: KL")


def test_a_missing_class_is_named():
    real = np.full(4, 0.25)
    check = health.mode_drop(metric(0.01), np.array([0.5, 0.49, 0.0, 0.01]), real, 1.0, 0.2)
    assert not check.passed
    assert "2, 3" in check.reason


def test_classes_out_of_proportion_fail_by_their_kl():
    real = np.full(2, 0.5)
    assert not health.mode_drop(metric(0.2), np.array([0.8, 0.2]), real, 0.1, 0.2).passed
    assert health.mode_drop(metric(0.05), np.array([0.6, 0.4]), real, 0.1, 0.2).passed


def test_a_class_that_real_data_lacks_is_not_missed():
    check = health.mode_drop(metric(0.0), np.array([1.0, 0.0]), np.array([1.0, 0.0]), 0.1, 0.2)
    assert check.passed
    assert "all 1 classes" in check.reason


def test_copies_fail_and_new_samples_pass():
    assert not health.memorisation(metric(0.1), least=0.6).passed
    assert health.memorisation(metric(0.9), least=0.6).passed


def test_near_copies_fail_beyond_the_limit_and_beyond_what_chance_allows():
    assert not health.near_copies(metric(0.39), most=0.1).passed
    assert health.near_copies(metric(0.02), most=0.1).passed
    few = replace(metric(0.2, floor=0.14), floor_high=0.4)  # six test images
    assert health.near_copies(few, most=0.1).passed


def test_a_figure_that_is_not_finite_is_divergence_and_named():
    check = health.divergence({"nll": metric(float("inf"))}, metric(1.0, floor=1.0), floors=20)
    assert not check.passed
    assert "nll" in check.reason


def test_a_distance_far_above_its_floor_is_divergence():
    near, far = metric(15.0, floor=1.0), metric(25.0, floor=1.0)
    assert health.divergence({"fid": near}, near, floors=20).passed
    assert not health.divergence({"fid": far}, far, floors=20).passed


def test_copied_texts_fail_above_their_share():
    assert not health.copying(metric(0.5), most=0.1).passed
    assert health.copying(metric(0.05), most=0.1).passed


def test_a_limit_beside_what_training_enforced_is_told():
    told = health.posterior_collapse(latents(kl=4.8), LIMITS, free_bits=5.0).reason
    assert "KL 4.80 (at least 1; training let 5 cost nothing)" in told
    assert "cost nothing" not in health.posterior_collapse(latents(), LIMITS).reason


def test_a_text_model_with_few_kinds_of_ngrams_is_of_low_variety():
    assert not low_variety(metric(0.2, floor=0.5), 0.6).passed
    assert low_variety(metric(0.4, floor=0.5), 0.6).passed


def test_only_a_vae_is_checked_for_collapse():
    fid = metric(1.0, floor=1.0)
    assert set(health.common({"fid": fid}, fid, CommonHealth(), 0.0)) == {"divergence"}
    found = health.common({"fid": fid} | latents(), fid, CommonHealth(), 0.0)
    assert set(found) == {"divergence", "posterior_collapse"}
