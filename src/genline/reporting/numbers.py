"""Numbers as a reader wants them: as many digits as the figure can bear, and no more."""

from __future__ import annotations

import math

_MOST_DECIMALS = 6


def format_number(value: float, decimals: int | None = None) -> str:
    """``value`` with at most three significant digits, or with ``decimals`` behind the point.

    Whole numbers stay whole, thousands are separated, and the minus sign is a real one.
    """
    if isinstance(value, bool) or not math.isfinite(value):
        return str(value)
    given = decimals is not None
    if decimals is None:
        if float(value).is_integer():
            decimals = 0
        else:
            decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    if decimals > _MOST_DECIMALS:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{exponent}".replace("-", "−")
    text = f"{value:,.{decimals}f}"
    if decimals and not given:
        text = text.rstrip("0").rstrip(".")
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("-")  # no negative zero
    return text.replace("-", "−")


def format_exact(value: float) -> str:
    """``value`` without rounding, for limits."""
    if isinstance(value, bool):
        return str(value).lower()
    return (f"{value:,}" if isinstance(value, int) else repr(value)).replace("-", "−")


def interval_decimals(low: float | None, high: float | None) -> int | None:
    """Decimals that show the width of [low, high] to two significant digits.

    None where there is no interval, or one without width: the value then chooses for itself.
    """
    if low is None or high is None or not high > low:
        return None
    exponent = math.floor(math.log10(high - low))
    return min(_MOST_DECIMALS, max(0, 1 - exponent))


def format_interval(low: float | None, high: float | None) -> str:
    """``low to high``; empty where there is none."""
    if low is None or high is None:
        return ""
    decimals = interval_decimals(low, high)
    return f"{format_number(low, decimals)} to {format_number(high, decimals)}"


def format_share(part: int, whole: int) -> str:
    """``part`` of ``whole`` in per cent; never 0 % or 100 % unless it is exactly that."""
    if whole == 0:
        return "0 %"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.1f} %" if 0 < share < 100 else f"{share:.0f} %"
