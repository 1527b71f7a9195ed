"""A browser, a small run and its report, which all browser tests share.

Without Playwright or Chromium the tests are skipped; with CONVVIZ_BROWSER_TESTS=required they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pictures import checksums_instead_of_pictures
from helpers.script_payloads import PAYLOADS

import convviz
from convviz import ImageError

REQUIRED = os.environ.get("CONVVIZ_BROWSER_TESTS") == "required"
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


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
        page.on("requestfailed", self._on_failure)
        page.on("dialog", self._on_dialog)

    def _on_console(self, message: Any) -> None:
        # Chromium reports the speed of software rendering in this way.
        if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
            self.problems.append(f"console: {message.text}")

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:", *self.allowed)):
            self.problems.append(f"request: {request.url}")

    def _on_failure(self, request: Any) -> None:
        # A page that is left while a chunk loads aborts the request.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed: {request.url} {request.failure}")

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
    with checksums_instead_of_pictures(drawn=["points"]):  # the pages show no others
        return convviz.analyze(
            "demo-digits", "demo-digits:?limit=40", explainers, folder, pictures=True
        )


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


class HostileImages:
    """Noise images whose names and classes are script payloads."""

    name = "<script>hacked=1</script>"
    ids = tuple(f"{payload} {i}" for i, payload in enumerate(PAYLOADS))
    classes = PAYLOADS[:10]
    labels = tuple(i % 10 for i in range(len(PAYLOADS)))

    def load(self, index: int) -> np.ndarray:
        """Return an image, uint8 `[12, 12, 3]`; the first one cannot be read."""
        if index == 0:
            raise ImageError(f"{PAYLOADS[2]} cannot be read")
        pixels = np.random.default_rng(index).integers(0, 255, (12, 12, 3))
        return pixels.astype(np.uint8)


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> convviz.Run:
    """A run in which names of files, classes and the data set are script payloads."""
    data = HostileImages()
    outputs = {name: i for i, name in enumerate(data.classes)}
    explainers = [
        "statistics",
        "neighbors",
        "embedding",
        convviz.explainer("patches", draw=1),
        convviz.explainer("predictions", classes=outputs),
    ]
    folder = tmp_path_factory.mktemp("hostile") / "run"
    with checksums_instead_of_pictures():
        return convviz.analyze("demo-digits", data, explainers, folder, pictures=True)


@pytest.fixture(scope="session")
def hostile_report(hostile_run: convviz.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report of the hostile run."""
    folder = tmp_path_factory.mktemp("hostile-report") / "pages"
    convviz.write_run_report(hostile_run, folder, photos=HostileImages())
    return folder


@pytest.fixture
def hostile_pages(watch: Any, hostile_report: Path) -> WatchedPage:
    """A page of the report of the hostile run."""
    watched: WatchedPage = watch(hostile_report.as_uri() + "/")
    return watched


def serious_findings(page: Any) -> list[str]:
    """Return rules of axe-core that a page breaks with serious or critical impact."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # Loading style sheets once more would be a request that pages on disk must not make.
    violations = axe.run(page, options={"preload": False}).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in violations
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.fixture
def check_accessible() -> Any:
    """Return a function that fails if axe-core has serious findings on a page."""

    def check(page: Any) -> None:
        assert serious_findings(page) == []

    return check
