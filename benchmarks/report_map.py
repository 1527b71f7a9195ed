"""Speed and memory of the map page in a browser, with synthetic points.

    python benchmarks/report_map.py [--points 50000] [--classes 10] [--renderer canvas|webgl]

Writes a map page with clustered points and noise thumbnails, opens it from disk in headless
Chromium, and prints the renderer, the time to the first frame, the times of frames while the map is
moved and zoomed, and the memory of the page. Without a graphics processor the page uses a 2D
canvas. Requires Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from convviz.render.colour import OKABE_ITO
from convviz.report.binary import packed
from convviz.report.chunks import write_chunk
from convviz.report.map_page import ATLAS_SIZE, SMALL_THUMB, STEPS
from convviz.report.photo_pass import COLUMNS, save_picture
from convviz.report.site import environment
from convviz.report.writer import copy_static

BLOCK = 512
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

RENDERER = """() => {
  const context = document.createElement("canvas").getContext("webgl2");
  const info = context.getExtension("WEBGL_debug_renderer_info");
  return context.getParameter(info.UNMASKED_RENDERER_WEBGL);
}"""

FIRST_FRAME = """() => new Promise(resolve => {
  const look = () => requestAnimationFrame(window.convvizMap?.width ? resolve : look);
  look();
})"""

FRAMES = """([steps, zooms]) => new Promise(resolve => {
  const map = window.convvizMap;
  const times = [];
  let previous = performance.now();
  let step = 0;
  const next = () => {
    const now = performance.now();
    times.push(now - previous);
    previous = now;
    if (step++ === steps) return resolve(times.slice(1));
    if (zooms) map.zoomAt(map.width / 2, map.height / 2, step % 40 < 20 ? 0.1 : -0.1);
    else map.pan(8 * Math.cos(step / 9), 8 * Math.sin(step / 9));
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})"""


def write_report(folder: Path, points: int, classes: int) -> Path:
    """Write a report with a map of clusters; return its page."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, classes, points)
    centres = generator.uniform(0.1, 0.9, (classes, 2))
    places = centres[labels] + generator.normal(0, 0.05, (points, 2))
    places = (places - places.min(0)) / (places.max(0) - places.min(0))
    steps = np.rint(places * STEPS)
    wrong = generator.random(points) < 0.1
    chunk = {
        "axes": ["t-SNE 1", "t-SNE 2"], "count": points, "total": points, "missing": 0,
        "notes": [], "size": [1.0, 1.0],
        "x": packed(steps[:, 0], "<u2"), "y": packed(steps[:, 1], "<u2"),
        "rows": packed(np.arange(points), "<u4"), "labels": packed(labels, "<i4"),
        "priority": packed(generator.integers(0, 50, points), "<u4"), "palette": list(OKABE_ITO),
        "wrong": packed(wrong, "u1"), "predicted": packed(labels, "<i4"),
        "thumbs": {"path": "media/map/thumbs-", "size": ATLAS_SIZE, "tile": SMALL_THUMB,
                   "columns": COLUMNS},
    }  # fmt: skip
    names = [f"class {i}" for i in range(classes)]
    layer = {"name": "layer", "slug": "layer", "units": 0, "pages": {"map": "map/layer.html"}}
    site = {
        "title": "synthetic", "count": points, "block": BLOCK, "layers": [layer],
        "classes": names, "outputs": names, "class_outputs": list(range(classes)), "has": {},
        "live": None,
    }  # fmt: skip
    copy_static(folder)
    write_chunk(folder, "map/layer", chunk)
    write_chunk(folder, "site", site)
    for start in range(0, points, BLOCK):
        rows = range(start, min(start + BLOCK, points))
        items = {"start": start, "names": [f"{row:06d}.jpg" for row in rows],
                 "labels": labels[start : start + BLOCK].tolist(),
                 "sizes": [[64, 64]] * len(rows)}  # fmt: skip
        write_chunk(folder, f"items-{start // BLOCK:03d}", items)
    height = ATLAS_SIZE // COLUMNS * SMALL_THUMB
    for number in range(-(-points // ATLAS_SIZE)):
        noise = generator.integers(0, 255, (height // 8, COLUMNS * SMALL_THUMB // 8, 3))
        pixels = noise.astype(np.uint8).repeat(8, 0).repeat(8, 1)
        save_picture(folder / f"media/map/thumbs-{number:03d}.jpg", pixels)
    page = folder / "map" / "layer.html"
    page.parent.mkdir()
    shown = SimpleNamespace(title="synthetic", links=[], live=None)
    text = (
        environment()
        .get_template("map.html")
        .render(
            site=shown, page="map", root="../", generator="benchmark", problem="", picture="",
            layer=SimpleNamespace(**layer), layers=[layer], points=chunk,
        )
    )  # fmt: skip
    page.write_text(text, "utf-8")
    return page


def summary(times: list[float]) -> str:
    """Return median, 95 % quantile and maximum of times in milliseconds."""
    high = statistics.quantiles(times, n=20)[-1]
    return (
        f"median {statistics.median(times):.0f} ms, 95 % {high:.0f} ms, worst {max(times):.0f} ms"
    )


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--renderer", choices=["canvas", "webgl"], default="canvas")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        address = write_report(Path(temporary), options.points, options.classes).as_uri()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        begun = time.perf_counter()
        page.goto(f"{address}#renderer={options.renderer}")
        page.evaluate(FIRST_FRAME)
        page.wait_for_selector("body[data-ready=true]")
        drawn = page.evaluate(RENDERER) if options.renderer == "webgl" else "2D canvas"
        print(f"renderer: {drawn}, Chromium {browser.version}")
        print(f"{options.points} points: first frame {time.perf_counter() - begun:.2f} s")
        page.wait_for_timeout(2000)  # atlases of thumbnails
        for zooms, name in ((False, "moved"), (True, "zoomed")):
            print(f"frames while {name}: {summary(page.evaluate(FRAMES, [60, zooms]))}")
        page.get_by_label("thumbnails").uncheck()
        print(f"moved without thumbnails: {summary(page.evaluate(FRAMES, [60, False]))}")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        print(f"JavaScript heap: {metrics['JSHeapUsedSize'] / 1e6:.0f} MB")
        browser.close()


if __name__ == "__main__":
    main()
