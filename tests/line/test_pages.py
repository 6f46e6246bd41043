"""The pages the line writes, opened in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clones import Clone

pytestmark = [pytest.mark.line, pytest.mark.browser]


@pytest.mark.parametrize(
    "page",
    [
        "reports/index.html",
        "reports/validation/digits/index.html",
        "reports/validation/docstrings/index.html",
    ],
)
def test_a_page_opens_without_a_failed_request_or_an_error(
    line: Clone, page: str, open_page: Callable[..., Any]
) -> None:
    file: Path = line.path / page
    open_page(file, width=375).assert_clean()
    open_page(file, width=1280, scheme="dark").assert_clean()


@pytest.mark.parametrize("dataset", ["digits", "docstrings"])
def test_the_report_and_the_validation_pages_lead_to_each_other(line: Clone, dataset: str) -> None:
    report, page = line.path / "reports", f"validation/{dataset}/index.html"
    assert f'href="{page}"' in (report / "index.html").read_text()
    assert 'href="../../index.html"' in (report / page).read_text()


def test_the_validation_pages_show_items(line: Clone) -> None:
    pages = line.path / "reports/validation"
    assert (pages / "digits/index.html").read_text().count('class="thumb"') == 20
    assert (pages / "docstrings/index.html").read_text().count('class="excerpt"') >= 5
