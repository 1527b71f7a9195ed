"""Time from mouse-up to the score of a covered rectangle, in the workbench of `convviz serve`.

    python benchmarks/serve.py --model mobilenet_v2 --photo photo.jpg

It requires Chromium and Playwright, and prints for rectangles of several sizes the time from
the mouse to the number in the page, of the computation alone, and of a full forward pass.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import threading
import time
from pathlib import Path
from typing import Any

from convviz.web.server import AppServer
from convviz.web.services import ServeSettings, Services

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 0.9)
"""Sides of the rectangles, as shares of the sides of the photo."""

PATIENCE_MS = 300_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobilenet_v2?weights=none")
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--prepare", action="store_true", help="prepare the incremental engine")
    arguments = parser.parse_args()
    with Services(ServeSettings(None, (arguments.model,))) as services:
        server = AppServer(services, show=lambda line: None)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.has_started:
            time.sleep(0.01)
        measure(server, arguments)
        server.stop()
        thread.join()


def measure(server: AppServer, arguments: argparse.Namespace) -> None:
    """Drag rectangles and print a row for each size."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(server.launch_link())
        page.goto(f"{server.address.url}/live.html#mode=cover")
        page.set_input_files("input[type=file]", str(arguments.photo))
        page.locator(".cover-stage img").wait_for()
        time.sleep(2)  # the page prepares the first rectangle
        drag(page, 0.3)
        if arguments.prepare and page.get_by_text("Prepare the incremental engine").count():
            page.get_by_text("Prepare the incremental engine").click()
            page.get_by_text("Incremental engine: ready").or_(
                page.get_by_text("forward pass is faster")
            ).wait_for()
        print(f"{arguments.model}: median of {arguments.repeats}, in ms")
        print("side   mouse to number   computation   full pass")
        for share in SHARES:
            rows = [drag(page, share, i) for i in range(arguments.repeats)]
            medians = [statistics.median(column) for column in zip(*rows, strict=True)]
            print(f"{share:4.0%} {medians[0]:17.0f} {medians[1]:13.0f} {medians[2]:11.0f}")
        browser.close()


def drag(page: Any, share: float, shift: int = 0) -> tuple[float, float, float]:
    """Drag a rectangle; return latency, computation and full pass in milliseconds."""
    stage = page.locator(".cover-stage").bounding_box()
    x = stage["x"] + (0.02 + 0.005 * shift) * stage["width"]
    y = stage["y"] + 0.05 * stage["height"]
    before = page.evaluate("document.querySelector('#latency')?.dataset.latency")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + share * stage["width"], y + share * stage["height"], steps=3)
    page.mouse.up()
    while True:
        after = page.evaluate("({...document.querySelector('#latency')?.dataset})")
        if after.get("latency") not in (None, before):
            break
        time.sleep(0.01)
    seconds, full = float(after["seconds"]), float(after["pass"])
    return float(after["latency"]), 1000 * seconds, 1000 * full


if __name__ == "__main__":
    main()
