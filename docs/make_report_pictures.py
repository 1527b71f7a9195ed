"""Renews the picture of the report in the documentation.

    python docs/make_report_pictures.py [FOLDER]

Cuts photos of scikit-image and scikit-learn into overlapping tiles, one class per photo, analyzes
them with the demo's network, writes the report, and takes a picture of the view of one unit.
Requires Playwright and Chromium. FOLDER keeps the tiles, the run and the report; without it they
are temporary.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from PIL import Image

import convviz

TARGET = Path(__file__).parent / "pictures" / "report_unit.png"
PHOTOS = {
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "pavilion": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
"""Class -> package and file of its photo."""

SIDE, STEP = 240, 80
"""Side of a tile and distance between tiles, in pixels of a photo that is 480 pixels high."""

LAYERS = ["blocks.1.1.bn1.act", "blocks.3.2.bn1.act", "blocks.4.2.bn1.act"]
VIEW = ("blocks-3-2-bn1-act", "unit=84&sort=selectivity")
WINDOW = {"width": 1440, "height": 940}
WIDTH = 1100


def tiles_of(path: Path) -> Iterator[Image.Image]:
    """Yield overlapping squares of a photo."""
    photo = Image.open(path).convert("RGB")
    photo = photo.resize((round(photo.width * 480 / photo.height), 480), Image.Resampling.LANCZOS)
    for y in range(0, photo.height - SIDE + 1, STEP):
        for x in range(0, photo.width - SIDE + 1, STEP):
            yield photo.crop((x, y, x + SIDE, y + SIDE))


def write_tiles(folder: Path) -> None:
    """Write the tiles of all photos, in one folder per class."""
    for name, (package, inside) in PHOTOS.items():
        (folder / name).mkdir(parents=True)
        with as_file(files(package).joinpath(inside)) as path:
            for number, tile in enumerate(tiles_of(path)):
                tile.save(folder / name / f"{name}-{number:02d}.png")


def screenshot(page_address: str, path: Path) -> None:
    """Write a picture of a page of the report."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        page.goto(page_address)
        page.wait_for_selector("body[data-ready=true]")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=path)
        browser.close()
    picture = Image.open(path).convert("RGB")
    size = (WIDTH, round(picture.height * WIDTH / picture.width))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main(folder: Path) -> None:
    """Analyze the tiles and take the picture."""
    if not (folder / "run").exists():
        write_tiles(folder / "tiles")
        explainers = [
            convviz.explainer("patches", layers=LAYERS, draw=4, guided=False),
            convviz.explainer("statistics", layers=LAYERS),
            convviz.explainer("neighbors"),
            convviz.explainer("embedding"),
        ]
        convviz.analyze("demo", folder / "tiles", explainers, folder / "run", predictions=False)
    report = convviz.write_run_report(folder / "run", folder / "report").parent
    slug, state = VIEW
    screenshot(f"{(report / 'layer' / slug).as_uri()}.html#{state}", TARGET)
    print(TARGET, np.asarray(Image.open(TARGET)).shape, TARGET.stat().st_size)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
