from __future__ import annotations

from pathlib import Path

import pytest
from test_validation_page import HOSTILE, failed_result

from genline.reporting.samples import write_texts
from genline.reporting.validation.page import write_page
from genline.stages import report

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_pages_open_cleanly_on_a_phone_and_a_desk(visit_page, line: Path, scheme) -> None:
    report.run()
    pages = [line / report.PAGE, *sorted((line / "reports/validation").glob("*/index.html"))]
    assert len(pages) == 3
    for page in pages:
        for width in (320, 375, 1280):
            visit_page(page, width, scheme).assert_clean()


def test_hostile_items_and_texts_run_nothing_and_fit(visit_page, line: Path) -> None:
    write_texts(line / "reports/samples/docstrings-gan/samples.txt", [HOSTILE] * 20)
    report.run()
    found = visit_page(line / report.PAGE)
    found.assert_clean()
    assert "<script>" in found.text
    write_page(failed_result(), line / "bad")
    found = visit_page(line / "bad/index.html")
    found.assert_clean()
    assert "<script>" in found.text


def test_the_report_reads_without_javascript(visit_page, line: Path) -> None:
    report.run()
    page = visit_page(line / report.PAGE, javascript=False)
    page.assert_clean()
    assert "digits-gan wins" in page.text
