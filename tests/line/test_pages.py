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
