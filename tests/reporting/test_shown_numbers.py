from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genline.reporting.numbers import (
    format_exact,
    format_interval,
    format_number,
    format_share,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1797, "1,797"),
        (0.5, "0.5"),
        (0.38412, "0.384"),
        (54.64, "54.6"),
        (12345.6, "12,346"),
        (-0.25, "−0.25"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.000123, "0.000123"),
        (1.403105e-06, "1.4e−06"),
        (-1e-9, "−1e−09"),
    ],
)
def test_a_number_has_at_most_three_significant_digits(value: float, shown: str) -> None:
    assert format_number(value) == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.3611, 0.4072, "0.361 to 0.407"),
        (0.3611, 0.3872, "0.361 to 0.387"),
        (85.41, 87.0, "85.4 to 87.0"),
        (None, 1.0, ""),
    ],
)
def test_an_interval_shows_as_many_digits_as_its_width_bears(
    low: float | None, high: float, shown: str
) -> None:
    assert format_interval(low, high) == shown


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_a_number_as_shown_is_within_a_half_per_cent_of_it(value: float) -> None:
    shown = float(format_number(value).replace(",", "").replace("−", "-"))
    assert abs(shown - value) <= 0.005 * abs(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_limit_is_never_rounded(value: float) -> None:
    assert float(format_exact(value).replace("−", "-")) == value


def test_a_share_is_nothing_or_all_only_if_it_is() -> None:
    assert format_share(1, 100_000) == "< 0.1 %"
    assert format_share(99_999, 100_000) == "> 99.9 %"
    assert format_share(0, 10) == "0 %"
    assert format_share(10, 10) == "100 %"
