"""Renews the pictures of the report in the documentation.

    python docs/make_report_pictures.py [FOLDER]

Cuts photos of scikit-image and scikit-learn into overlapping tiles, one class per photo, analyzes
them with the demo's network, writes the report, and takes pictures of one unit and of the map.
Requires Playwright and Chromium. FOLDER keeps the tiles, the run and the report; without it they
are temporary.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import convviz
from convviz_plugins.commands._photo_tiles import write_tiles

PICTURES = Path(__file__).parent / "pictures"
STEP = 80
"""Distance between tiles, in pixels of a photo that is 480 pixels high."""

LAYERS = ["blocks.1.1.bn1.act", "blocks.3.2.bn1.act", "blocks.4.2.bn1.act"]
VIEWS = {
    "report_unit": ("layer/blocks-3-2-bn1-act", "unit=84&sort=selectivity", 1000, 700),
    "report_map": ("map/*", "", 1000, 760),
}
"""Name of a picture -> page, its state, and size of the window."""

WIDTH = 1100
"""Width of the pictures in pixels; GitHub shows them about 830 pixels wide."""


def screenshot(page_address: str, size: tuple[int, int], path: Path) -> None:
    """Write a picture of a page of the report in a window of a size."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        width, height = size
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="light",
            device_scale_factor=2,
        )
        page.goto(page_address)
        page.wait_for_selector("body[data-ready=true]")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=path)
        browser.close()
    picture = Image.open(path).convert("RGB")
    shown = (WIDTH, round(picture.height * WIDTH / picture.width))
    picture = picture.resize(shown, Image.Resampling.LANCZOS)
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main(folder: Path) -> None:
    """Analyze the tiles and take the pictures."""
    if not (folder / "run").exists():
        write_tiles(folder / "tiles", STEP)
        explainers = [
            convviz.explainer("patches", layers=LAYERS, draw=4, guided=False),
            convviz.explainer("statistics", layers=LAYERS),
            convviz.explainer("neighbors"),
            convviz.explainer("embedding"),
        ]
        convviz.analyze("demo", folder / "tiles", explainers, folder / "run", predictions=False)
    report = convviz.write_run_report(folder / "run", folder / "report").parent
    for name, (page, state, *size) in VIEWS.items():
        target = PICTURES / f"{name}.png"
        [path] = report.glob(f"{page}.html")
        screenshot(f"{path.as_uri()}#{state}", tuple(size), target)
        print(target, np.asarray(Image.open(target)).shape, target.stat().st_size)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
