from __future__ import annotations

import re

import pytest

from genline.reporting.charts import SERIES
from genline.reporting.validation.skeleton import TEMPLATES


def themes() -> dict[str, dict[str, str]]:
    """The colour variables of the stylesheet: light, and dark where it differs."""
    css = (TEMPLATES / "page.css").read_text()
    light, dark = (
        dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    )
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    lighter, darker = sorted((luminance(a), luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_curves_stand_out_from_what_they_lie_on(theme: str) -> None:
    colours = themes()[theme]
    series = [f"series-{i}" for i in range(1, SERIES + 1)]
    pairs = [(ink, paper) for ink in ("ink", "soft") for paper in ("paper", "card", "sunk")]
    pairs += [(ink, paper) for ink in ("link", *series) for paper in ("paper", "card")]
    pairs += [("good", "good-paper"), ("bad", "bad-paper")]
    for ink, paper in pairs:
        found = contrast(colours[ink], colours[paper])
        assert found >= 4.5, f"{theme}: {ink} on {paper} has a contrast of {found:.2f}"


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
