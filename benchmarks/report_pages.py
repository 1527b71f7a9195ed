"""Times of a report's layer page in a browser: first paint, and the view of a unit after a click.

    python benchmarks/report_pages.py [--units 2048] [--images 256] [--repeats 5]

Sweeps a random network with a wide layer over random photos, writes the report, opens it from disk
in headless Chromium, and prints the median times. The tile of a unit is scrolled into view, and
clicked half a second later; the pointer never enters the page, so that nothing is loaded ahead of a
click. "Busy" is the CPU time of the main thread of the page. Requires Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import convviz

SIZE = 224


def network(units: int) -> convviz.Model:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 7, stride=4, padding=3),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, units, 7, stride=8, padding=3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(units, 10),
    )
    preprocess = convviz.Preprocess(resize=SIZE, crop=SIZE, mean=(0.5,) * 3, std=(0.25,) * 3)
    return convviz.Model(module.eval(), name="wide", preprocess=preprocess)


def write_photos(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    for index in range(count):
        target = folder / f"class {index % 10}" / f"{index:05d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        noise = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((500, 375), Image.Resampling.BICUBIC).save(target, quality=90)


PAUSE_MS = 500
REVEAL = "unit => document.querySelector(`#sheet [data-unit='${unit}']`).scrollIntoView()"
PAINTED = """() => new Promise(resolve => {
  const entry = performance.getEntriesByName("first-contentful-paint")[0];
  resolve(entry ? entry.startTime : null);
})"""
CLICKED = """unit => new Promise(resolve => {
  const begun = performance.now();
  document.querySelector(`#sheet [data-unit="${unit}"]`).click();
  const look = () => {
    const pictures = [...document.querySelectorAll("#unit .patches img")];
    const isShown = document.querySelector("#unit h2")?.textContent === `unit ${unit}` &&
      pictures.length && pictures.every(picture => picture.complete && picture.naturalWidth);
    if (isShown) requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
    else requestAnimationFrame(look);
  };
  look();
})"""


def measure(address: str, units: int, repeats: int) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    first, later = "first unit after a click", "further units after a click"
    names = ("first paint", "ready", first, later)
    times: dict[str, list[float]] = {name: [] for name in names}
    busy: dict[str, list[float]] = {f"{name}, main thread busy": [] for name in (first, later)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print("browser", browser.version)
        for repeat in range(repeats):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            begun = time.perf_counter()
            page.goto(address)
            page.wait_for_selector("body[data-ready=true]")
            times["ready"].append(1000 * (time.perf_counter() - begun))
            times["first paint"].append(page.evaluate(PAINTED))
            session = context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            for step in range(4):
                unit = (repeat * 397 + step * 511) % units
                page.evaluate(REVEAL, unit)
                page.wait_for_timeout(PAUSE_MS)
                name, before = later if step else first, _busy_ms(session)
                times[name].append(page.evaluate(CLICKED, unit))
                busy[f"{name}, main thread busy"].append(_busy_ms(session) - before)
            context.close()
        browser.close()
    return times | busy


def _busy_ms(session: object) -> float:
    """Return the CPU time that the main thread of the page has used for tasks."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(m["value"] for m in metrics if m["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=2048)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_photos(folder / "photos", options.images)
        explainers = [
            convviz.explainer("patches", layers=["2"], draw=0),
            convviz.explainer("statistics", layers=["3"]),
        ]
        run = convviz.analyze(network(options.units), folder / "photos", explainers, folder / "run")
        begun = time.process_time()
        report = convviz.write_run_report(run, folder / "report").parent
        print(f"report written in {time.process_time() - begun:.1f} s of CPU time")
        size = sum(path.stat().st_size for path in report.rglob("*") if path.is_file())
        page = report / "layer" / "2.html"
        print(f"{size / 1e6:.1f} MB, of which the layer page {page.stat().st_size / 1e6:.2f} MB")
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for name, values in measure(page.as_uri(), options.units, options.repeats).items():
            print(f"{name}: median {statistics.median(values):.0f} ms, worst {max(values):.0f} ms")


if __name__ == "__main__":
    main()
