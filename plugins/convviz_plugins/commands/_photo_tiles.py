"""Tiles of the photos inside scikit-image and scikit-learn: a small data set of photos."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

from PIL import Image

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

HEIGHT, SIDE = 480, 240
"""Height to which a photo is resized, and side of a tile, in pixels."""


def write_tiles(folder: Path, step: int) -> None:
    """Write overlapping square tiles of all photos, in one folder per class.

    Args:
        folder: a new folder.
        step: distance between tiles, in pixels of the resized photo.
    """
    for name, (package, inside) in PHOTOS.items():
        (folder / name).mkdir(parents=True)
        with as_file(files(package).joinpath(inside)) as path:
            for number, tile in enumerate(_tiles_of(path, step)):
                tile.save(folder / name / f"{name}-{number:02d}.png")


def _tiles_of(path: Path, step: int) -> Iterator[Image.Image]:
    photo = Image.open(path).convert("RGB")
    width = round(photo.width * HEIGHT / photo.height)
    photo = photo.resize((width, HEIGHT), Image.Resampling.LANCZOS)
    for y in range(0, HEIGHT - SIDE + 1, step):
        for x in range(0, width - SIDE + 1, step):
            yield photo.crop((x, y, x + SIDE, y + SIDE))
