"""A browser, a small run and its report, which all browser tests share.

Without Playwright or Chromium the tests are skipped; with CONVVIZ_BROWSER_TESTS=required they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import convviz

REQUIRED = os.environ.get("CONVVIZ_BROWSER_TESTS") == "required"
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]


def _missing(reason: str) -> None:
    if REQUIRED:
        pytest.fail(f"browser tests are required: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        _missing("there is no chromium on the PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


class WatchedPage:
    """A page of a browser, with the problems that it has met.

    Attributes:
        page: the page of Playwright.
        problems: errors, messages of the console, and requests to other places than `allowed`.
        allowed: prefixes of addresses that may be requested.
    """

    def __init__(self, page: Any, allowed: tuple[str, ...]) -> None:
        self.page, self.allowed = page, allowed
        self.problems: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._on_request)
        page.on("requestfailed", lambda r: self.problems.append(f"failed: {r.url} {r.failure}"))
        page.on("dialog", self._on_dialog)

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:", *self.allowed)):
            self.problems.append(f"request: {request.url}")

    def _on_dialog(self, dialog: Any) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, address: str) -> Any:
        """Go to an address below the first allowed one, wait until it is rendered."""
        self.page.goto(self.allowed[0] + address)
        self.wait()
        return self.page

    def wait(self) -> None:
        """Wait until the page is rendered."""
        self.page.wait_for_selector("body[data-ready=true]")


@pytest.fixture
def watch(browser: Any) -> Iterator[Any]:
    """Return a function that opens a page for addresses that begin with some prefixes.

    The test fails if a page has met a problem.
    """
    opened: list[tuple[Any, WatchedPage]] = []

    def watched(*allowed: str, **options: Any) -> WatchedPage:
        options = {"viewport": {"width": 1440, "height": 900}, **options}
        context = browser.new_context(**options)
        context.set_default_timeout(15_000)
        page = WatchedPage(context.new_page(), allowed)
        opened.append((context, page))
        return page

    yield watched
    problems = [problem for _, page in opened for problem in page.problems]
    for context, _ in opened:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> convviz.Run:
    """A run of the digits with results of all explainers of data sets."""
    explainers = [
        convviz.explainer("patches", draw=1),
        "statistics",
        "neighbors",
        "embedding",
    ]
    folder = tmp_path_factory.mktemp("browser") / "run"
    return convviz.analyze("demo-digits", "demo-digits:?limit=40", explainers, folder)


@pytest.fixture(scope="session")
def report(digits_run: convviz.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report of the run."""
    folder = tmp_path_factory.mktemp("report") / "pages"
    convviz.write_run_report(digits_run, folder)
    return folder


@pytest.fixture
def pages(watch: Any, report: Path) -> WatchedPage:
    """A page of the report, opened from disk: `pages.open("index.html")`."""
    watched: WatchedPage = watch(report.as_uri() + "/")
    return watched
