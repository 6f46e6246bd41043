from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_validation_page import HOSTILE, failed_result

from genline.reporting.samples import write_texts
from genline.reporting.validation.page import write_page
from genline.stages import report

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]


def test_all_pages_open_cleanly_on_a_phone_and_a_desk(open_page: OpenPage, finished: Path) -> None:
    pages = [finished / report.PAGE, *sorted((finished / "reports/validation").glob("*/*.html"))]
    assert len(pages) == 3
    for page in pages:
        for width, scheme in ((320, "light"), (375, "dark"), (1280, "light")):
            open_page(page, width, scheme).assert_clean()


def test_the_report_reads_without_javascript(open_page: OpenPage, finished: Path) -> None:
    page = open_page(finished / report.PAGE, javascript=False)
    page.assert_clean()
    assert "digits-gan wins" in page.text


def test_hostile_items_and_texts_run_nothing_and_fit(open_page: OpenPage, line: Path) -> None:
    write_texts(line / "reports/samples/docstrings-gan/samples.txt", [HOSTILE] * 20)
    report.run()
    write_page(failed_result(), line / "bad")
    for page in (line / report.PAGE, line / "bad/index.html"):
        found = open_page(page)
        found.assert_clean()
        assert "<script>" in found.text
