"""What tests of every layer share: opening a page in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import genline  # noqa: F401  (sets libgomp's spinning before a test imports torch)

# Two processes share the tests and two cores: more threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long one example takes says nothing: the first imports what it needs, and machines differ.
hypothesis.settings.register_profile("genline", deadline=None)
hypothesis.settings.load_profile("genline")

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Visit:
    """What a browser met on a page."""

    address: str
    text: str = ""
    overflow: int = 0  # pixels by which the page is wider than its window
    requests: list[str] = field(default_factory=list)  # besides the page itself and data:
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # of the console, and uncaught exceptions
    broken_images: int = 0

    def assert_clean(self) -> None:
        assert not self.errors, f"{self.address}: console errors {self.errors}"
        assert not self.failures, f"{self.address}: failed requests {self.failures}"
        assert not self.requests, f"{self.address}: not self-contained, asks for {self.requests}"
        assert not self.broken_images, f"{self.address}: {self.broken_images} broken images"
        assert self.overflow <= 0, f"{self.address}: scrolls sideways by {self.overflow} px"


OpenPage = Callable[..., Visit]


# Those that look at the same clones, which one process makes once.
_SAME_CLONES = {f"tests/line/test_{name}.py" for name in ("line", "bad_input", "pages")}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`make test` shares the tests between two processes by file."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return "line" if file in _SAME_CLONES else file

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first."""
    items.sort(key=lambda item: "line" not in item.keywords)


@pytest.fixture
def open_page() -> Iterator[OpenPage]:
    """``open_page(file, width=375, scheme="light", javascript=True)`` opens it in Chromium.

    Skips where there is no Chromium, and fails there when GENLINE_REQUIRE_BROWSER is 1.
    """
    executable = shutil.which("chromium") or shutil.which("/usr/bin/chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        executable = None
    if executable is None:
        missing = "needs chromium and the Python package playwright"
        if os.environ.get("GENLINE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{missing}: GENLINE_REQUIRE_BROWSER is 1")
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)

        def visit(
            file: Path, width: int = 375, scheme: Any = "light", javascript: bool = True
        ) -> Visit:
            context = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme=scheme,
                java_script_enabled=javascript,
            )
            try:
                return _visit(context.new_page(), file)
            finally:
                context.close()

        yield visit
        browser.close()


def _visit(page: Any, file: Path) -> Visit:
    found = Visit(file.resolve().as_uri())

    def asked(request: Any) -> None:
        if request.url != found.address and not request.url.startswith("data:"):
            found.requests.append(request.url)

    page.on("request", asked)
    page.on("requestfailed", lambda request: found.failures.append(request.url))
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on(
        "console",
        lambda said: found.errors.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.goto(found.address, wait_until="load")
    # What is folded must fit as well.
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    found.overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    found.broken_images = page.evaluate(
        "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    )
    found.text = page.inner_text("body")
    return found
