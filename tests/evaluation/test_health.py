from dataclasses import replace

import numpy as np
import pytest

from genline.core.errors import DataError
from genline.evaluation import health
from genline.evaluation.config import CollapseLimits, CommonHealth, ImageHealth
from genline.evaluation.reconstruction import reconstruction_error
from genline.evaluation.record import Metric
from genline.evaluation.text.health import low_variety
from genline.evaluation.training_curve import read_curve

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


LIMITS_OF_IMAGES = ImageHealth(discriminator_accuracy=0.95, gradient_change=100.0)


def curve(accuracy: float = 0.7, first: float = 1.0, last: float = 0.5) -> dict[str, list[float]]:
    """Ten rows: the last two are the end, the first two the start."""
    return {
        "loss": [1.0] * 10,
        "discriminator_accuracy": [1.0] * 8 + [accuracy] * 2,
        "generator_gradient": [first] * 2 + [3.0] * 6 + [last] * 2,
        "discriminator_gradient": [2.0] * 10,
    }


def test_an_adversarial_training_is_judged_by_its_end():
    checks = health.adversarial(curve(), LIMITS_OF_IMAGES)
    assert set(checks) == {"discriminator", "gradients"}
    assert all(check.passed for check in checks.values())
    won = health.adversarial(curve(accuracy=0.99), LIMITS_OF_IMAGES)["discriminator"]
    assert not won.passed
    assert "right for 99.0% at the end (at most 95.0%)" in won.reason


@pytest.mark.parametrize(
    ("first", "last", "word"),
    [(1.0, 0.005, "vanished"), (1.0, 0.0, "vanished"), (1.0, 200.0, "exploded")],
)
def test_gradients_that_vanish_or_explode_are_told_with_their_network(
    first: float, last: float, word: str
):
    check = health.adversarial(curve(first=first, last=last), LIMITS_OF_IMAGES)["gradients"]
    assert not check.passed
    assert check.reason.startswith(f"the gradients of the generator {word}")


def test_a_curve_without_an_adversary_has_no_such_checks():
    assert health.adversarial({"loss": [1.0]}, LIMITS_OF_IMAGES) == {}


def test_a_training_curve_is_read_column_by_column_without_empty_cells(tmp_path):
    file = tmp_path / "e.csv"
    file.write_text("step,loss,valid\n1,0.5,\n2,0.25,3\n")
    assert read_curve(file) == {"step": [1, 2], "loss": [0.5, 0.25], "valid": [3]}
    file.write_text("step,loss\n1,many\n")
    with pytest.raises(DataError, match=r"e\.csv: holds a cell that is no number"):
        read_curve(file)
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        read_curve(tmp_path / "gone.csv")


def test_a_reconstruction_is_judged_in_shares_of_the_range():
    images = np.zeros((6, 1, 2, 2), np.uint8)
    rebuilt = images.copy()
    rebuilt[:, 0, 0, 0] = 8  # of 16: half the range in a quarter of the pixels
    found = reconstruction_error(images, rebuilt, levels=17, seed=0)
    assert found.value == pytest.approx(0.25)
    assert found.low == pytest.approx(0.25)
    assert reconstruction_error(images, images, 17, 0).value == 0
