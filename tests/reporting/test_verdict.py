from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genline.evaluation.items import Items
from genline.reporting.verdict import best, judge


def figure(value: float, half: float, better: str = "lower", **more: Any) -> dict[str, Any]:
    return {
        "title": "FID",
        "value": value,
        "standard_error": half / 1.959963984540054,
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


def test_a_winner_is_called_beyond_noise() -> None:
    verdict = judge(
        "d", "image", [record("a", figure(0.74, 0.03)), record("b", figure(0.66, 0.03))]
    )
    assert verdict.decided
    assert verdict.headline == "b wins"
    assert "0.660 against 0.740 for a: a difference of 0.080 (95 % interval 0.038 to 0.122, " in (
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


def test_the_verdict_rests_on_the_error_on_record_and_not_on_the_interval_shown() -> None:
    cut = figure(0.66, 0.03) | {"low": 0.66, "standard_error": 0.05}
    assert not judge("d", "image", [record("a", figure(0.74, 0.03)), record("b", cut)]).decided


def test_what_two_models_share_of_the_test_items_noise_cancels() -> None:
    left = [0.01 * (-1) ** i for i in range(24)]  # jackknife error 0.048
    first, second = (
        figure(value, 0.1, left_out=[value + d for d in left]) for value in (0.7, 0.66)
    )
    verdict = judge("d", "image", [record("a", first), record("b", second)])
    assert verdict.difference is not None
    assert verdict.difference.method == "test items shared"
    # The samples' part alone, of both: √2 · √(0.0510² − 0.0480²).
    assert verdict.difference.standard_error == pytest.approx(0.0246, abs=2e-4)
    assert "test items shared" in verdict.sentence


def test_the_best_is_better_than_each_other_beyond_noise() -> None:
    clear, near, far = figure(1.0, 0.1), figure(1.1, 0.1), figure(3.0, 0.1)
    assert best("fid", [far, clear, None], [None] * 3) == 1
    assert best("fid", [far, clear, near], [None] * 3) is None
    assert best("fid", [clear], [None]) is None
    nobody = [figure(1, 0.1, "none"), figure(3, 0.1, "none")]
    assert best("fid", nobody, [None] * 2) is None


def test_a_likelihood_is_best_by_its_items_and_by_nothing_else() -> None:
    hard = np.random.default_rng(0).gamma(2.0, 10.0, 1000)
    items = [Items("tokens", np.full(1000, 5), {"nll": hard + extra}) for extra in (0.05, 0.0)]
    found = [
        figure(i.statistic("perplexity")(np.arange(1000)), 5.0)  # type: ignore[misc]
        for i in items
    ]
    assert best("perplexity", found, items) == 1
    assert best("perplexity", found, [items[0], None]) is None


def test_the_figures_of_a_verdict_add_up_as_shown() -> None:
    records = [record("a", figure(0.5347862, 0.134)), record("b", figure(0.5475542, 0.168))]
    said = judge("d", "image", records).sentence
    assert "FID 0.535 against 0.548 for b: a difference of 0.013 (" in said


def test_the_floor_reads_the_same_whatever_the_width_of_an_interval() -> None:
    floors = {
        judge("d", "image", [record("a", figure(0.7, half, floor=0.44719))]).distance_to_floor
        for half in (0.4, 0.0004)
    }
    assert floors == {
        "Real data against real data scores 0.447, the floor: a stands at 1.6 times it."
    }
