import json

from hypothesis import given
from hypothesis import strategies as st

from genline.core.files import canonical_json
from genline.evaluation.record import Check, Evaluation, Findings, Metric

finite = st.floats(allow_nan=False, allow_infinity=False)
metrics = st.builds(
    Metric,
    title=st.text(),
    value=finite,
    standard_error=finite,
    low=finite,
    high=finite,
    count=st.integers(0, 10**6),
    floor=st.none() | finite,
    unit=st.text(),
    better=st.sampled_from(["lower", "higher", "none"]),
    interval=st.text(),
    about=st.text(),
    floor_low=st.none() | finite,
    floor_high=st.none() | finite,
    left_out=st.lists(finite, max_size=3).map(tuple),
)
findings = st.builds(
    Findings,
    metrics=st.dictionaries(st.text(), metrics, max_size=3),
    health=st.dictionaries(st.text(), st.builds(Check, st.booleans(), st.text()), max_size=3),
    temperature_sweep=st.lists(st.dictionaries(st.text(), finite, max_size=2), max_size=2),
)


def evaluation(found: Findings) -> Evaluation:
    digests = {"model": "a", "data": "b", "evaluator": "c"}
    return Evaluation("digits-vae", "digits", "image_vae", "image", digests, found)


@given(findings)
def test_a_record_read_again_is_the_record(found: Findings):
    record = evaluation(found)
    assert Evaluation.from_json(json.loads(canonical_json(record.to_json()))) == record


def test_numbers_are_numbers_alone_and_a_missing_floor_is_left_out():
    fid = Metric("FID", 2.0, 0.5, 1.0, 3.0, 539, 1.5, "", "lower", "how", "what")
    nll = Metric("NLL", 88.0, 0.5, 87.0, 89.0, 539, None, "nats", "lower", "how", "what")
    assert evaluation(Findings({"fid": fid, "nll": nll}, {})).numbers() == {
        "fid": {"value": 2.0, "low": 1.0, "high": 3.0, "floor": 1.5, "count": 539},
        "nll": {"value": 88.0, "low": 87.0, "high": 89.0, "count": 539},
    }


def test_a_figure_that_is_not_finite_is_left_out_and_the_record_stays_json():
    broken = Metric("NLL", float("inf"), 0.1, 1.0, float("nan"), 10, None, "", "lower", "", "")
    record = evaluation(Findings({"nll": broken}, {"divergence": Check(False, "nll")}))
    assert record.to_json()["metrics"] == {}
    assert record.numbers() == {}
    assert "divergence" in canonical_json(record.to_json())
