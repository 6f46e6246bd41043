from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.reporting.verdict import Estimate, beats_curve, best, difference, judge


def figure(value: float, half: float, better: str = "lower", **more: Any) -> dict[str, Any]:
    return {
        "title": "FID",
        "value": value,
        "low": value - half,
        "high": value + half,
        "floor": 0.2,
        "unit": "",
        "better": better,
    } | more


def record(experiment: str, metric: dict[str, Any] | None, **failed: str) -> dict[str, Any]:
    health = {"divergence": {"passed": True, "reason": ""}}
    health |= {name: {"passed": False, "reason": why} for name, why in failed.items()}
    metrics = {"fid": metric} if metric else {}
    return {"experiment": experiment, "metrics": metrics, "health": health}


def test_the_difference_has_the_interval_of_two_independent_normals() -> None:
    # 95 % half-widths 0.3 and 0.4 make 0.5 together.
    found = difference(Estimate(2.0, 1.7, 2.3), Estimate(1.2, 0.8, 1.6))
    assert found.value == pytest.approx(0.8)
    assert (found.low, found.high) == pytest.approx((0.3, 1.3))
    assert found.beyond_noise


def test_the_difference_s_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    z = 1.959963984540054
    first, second = random.normal(1.0, 0.3, 4000), random.normal(1.5, 0.4, 4000)
    inside = 0
    for a, b in zip(first, second, strict=True):
        half = (0.3 * z, 0.4 * z)
        d = difference(Estimate(a, a - half[0], a + half[0]), Estimate(b, b - half[1], b + half[1]))
        inside += d.low <= -0.5 <= d.high
    assert inside / 4000 == pytest.approx(0.95, abs=0.012)


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 5), st.floats(0, 5))
def test_swapping_the_two_turns_the_difference_round(
    a: float, b: float, half_a: float, half_b: float
) -> None:
    first, second = Estimate(a, a - half_a, a + half_a), Estimate(b, b - half_b, b + half_b)
    there, back = difference(first, second), difference(second, first)
    assert there.value == -back.value
    assert there.low == pytest.approx(-back.high)
    assert there.beyond_noise == back.beyond_noise


def test_a_winner_is_called_beyond_noise() -> None:
    verdict = judge(
        "d", "image", [record("a", figure(0.74, 0.03)), record("b", figure(0.66, 0.03))]
    )
    assert verdict.decided
    assert verdict.headline == "b wins"
    assert "0.660 against 0.740 for a: a difference of 0.080 (95 % interval 0.038 to 0.122)" in (
        verdict.sentence
    )
    assert "3.3 times" in verdict.distance_to_floor


def test_no_winner_is_called_within_noise() -> None:
    verdict = judge("d", "image", [record("a", figure(0.7, 0.1)), record("b", figure(0.66, 0.1))])
    assert not verdict.decided
    assert verdict.headline == "b and a are level"
    assert "within noise" in verdict.sentence


def test_a_higher_figure_wins_where_higher_is_better() -> None:
    records = [record("a", figure(0.9, 0.01, "higher")), record("b", figure(0.2, 0.01, "higher"))]
    assert judge("d", "image", records).headline == "a wins"


def test_a_model_that_fails_a_health_check_cannot_win() -> None:
    records = [
        record("copier", figure(0.01, 0.001), memorisation="copies"),
        record("honest", figure(0.7, 0.1)),
    ]
    verdict = judge("d", "image", records)
    assert verdict.headline == "honest stands alone"
    assert "copier failed its health check (memorisation)" in verdict.sentence
    assert [s.experiment for s in verdict.standings] == ["honest", "copier"]


def test_a_model_without_a_finite_figure_cannot_win() -> None:
    verdict = judge("d", "image", [record("a", None), record("b", figure(0.7, 0.1))])
    assert verdict.headline == "b stands alone"
    assert "a has no finite figure" in verdict.sentence


def test_there_is_no_winner_among_the_unfit() -> None:
    verdict = judge("d", "image", [record("a", None), record("b", None, mode_drop="3 is missing")])
    assert verdict.leader is None
    assert verdict.headline.startswith("No winner")
    assert verdict.difference is None
    assert verdict.distance_to_floor == ""


def test_the_best_is_better_than_each_other_beyond_noise() -> None:
    clear, near, far = figure(1.0, 0.1), figure(1.1, 0.1), figure(3.0, 0.1)
    assert best([far, clear, None]) == 1
    assert best([far, clear, near]) is None
    assert best([clear]) is None
    assert best([figure(1, 0.1, "none"), figure(3, 0.1, "none")]) is None


def test_a_point_beats_a_curve_only_below_it_by_its_interval() -> None:
    curve = [(60.0, 120.0), (20.0, 160.0), (40.0, 130.0)]
    assert beats_curve((30.0, Estimate(140, 138, 142)), curve) is True  # the curve is at 145
    assert beats_curve((30.0, Estimate(144, 142, 146)), curve) is False
    assert beats_curve((30.0, Estimate(150, 149, 151)), curve) is False
    assert beats_curve((10.0, Estimate(100, 99, 101)), curve) is None
    assert beats_curve((70.0, Estimate(100, 99, 101)), curve) is None


def test_an_estimate_without_width_has_no_error() -> None:
    assert Estimate(1, 1, 1).standard_error == 0
    assert math.isclose(Estimate(0, -1.959963984540054, 1.959963984540054).standard_error, 1)
