"""One pass over the photos of a run, in which all pictures of a report are cut.

Every photo is decoded once. Pictures that belong together are tiles of an atlas, which is one file.
"""

from __future__ import annotations

import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import ImageError
from ..progress import track

COLUMNS = 32
"""Tiles in a row of an atlas."""

QUALITY = 85
BLANK = 238
"""Grey level of missing tiles."""

CRISP_SIDE = 64
"""Longer side up to which photos are saved without loss and shown as squares."""

WORKERS = 4
AHEAD = 16
"""Photos that are being read at the same time at most."""


class PhotoSource(Protocol):
    """The photos of a run."""

    def __len__(self) -> int: ...

    def load(self, index: int) -> np.ndarray:
        """Read a photo, uint8 `[h, w, 3]`; raise ImageError if it is not available."""


Draw = Callable[[np.ndarray], None]
"""Draws something from a photo, uint8 `[h, w, 3]`."""


@dataclass(eq=False)
class Atlas:
    """Square tiles in one JPEG file.

    Attributes:
        path: the file, relative to the folder of the report.
        tile: side of a tile in pixels.
        size: number of tiles.
        columns: tiles in a row.
    """

    path: str
    tile: int
    size: int
    pixels: np.ndarray
    columns: int = COLUMNS
    filled: set[int] = field(default_factory=set)

    def put(self, index: int, picture: np.ndarray) -> None:
        """Draw a tile, uint8 `[tile, tile, 3]`."""
        row, column = divmod(index, self.columns)
        y, x = row * self.tile, column * self.tile
        self.pixels[y : y + self.tile, x : x + self.tile] = picture
        self.filled.add(index)

    def record(self) -> dict[str, Any] | None:
        """Return what pages need to show tiles; None if no tile could be drawn."""
        if not self.filled:
            return None
        return {"atlas": self.path, "tile": self.tile, "columns": self.columns}

    def save(self, folder: Path) -> None:
        """Write the file, if a tile has been drawn."""
        if self.filled:
            save_picture(folder / self.path, self.pixels)


class PhotoPass:
    """Collects drawings from photos, then reads every photo that is needed once.

    Attributes:
        missing: rows of photos that could not be read, with the reason.
    """

    def __init__(self, photos: PhotoSource, folder: Path) -> None:
        self._photos, self._folder = photos, folder
        self._drawings: dict[int, list[Draw]] = defaultdict(list)
        self._atlases: list[Atlas] = []
        self._spool = tempfile.TemporaryDirectory(prefix="convviz-", ignore_cleanup_errors=True)
        self._lock = threading.Lock()
        self.missing: dict[int, str] = {}

    def draw(self, row: int, drawing: Draw) -> None:
        """Call a function with the photo of a row; functions of several rows run in threads."""
        self._drawings[row].append(drawing)

    def atlas(self, path: str, size: int, tile: int, columns: int = 0) -> Atlas:
        """Return a new atlas, which is saved when all photos have been read."""
        columns = columns or min(COLUMNS, max(size, 1))
        rows = -(-size // columns)
        file = Path(self._spool.name) / f"{len(self._atlases)}"
        shape = (max(rows, 1) * tile, columns * tile, 3)
        pixels = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
        pixels[:] = BLANK
        atlas = Atlas(path, tile, size, pixels, columns)
        self._atlases.append(atlas)
        return atlas

    def save_photo(self, row: int, path: str, least: float) -> None:
        """Save a photo, reduced so that its shorter side has about `least` pixels."""
        target = self._folder / path
        self.draw(row, lambda photo: save_picture(target, reduce_photo(photo, least)))

    def run(self) -> None:
        """Read the photos and draw; photos that cannot be read are listed in `missing`."""
        with ThreadPoolExecutor(WORKERS) as pool:
            rows = sorted(self._drawings)
            for _ in track(self._results(pool, rows), "pictures of the report", total=len(rows)):
                pass
            list(pool.map(lambda atlas: atlas.save(self._folder), self._atlases))
        self._drawings.clear()
        self._atlases.clear()
        self._spool.cleanup()

    def _results(self, pool: ThreadPoolExecutor, rows: list[int]) -> Iterator[None]:
        """Yield once per photo that is done, with a bounded number of photos in memory."""
        waiting: list[Any] = []
        for row in rows:
            waiting.append(pool.submit(self._draw, row))
            if len(waiting) > AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    def _draw(self, row: int) -> None:
        try:
            with self._lock:  # data sets need not be safe for threads
                photo = self._photos.load(row)
        except ImageError as error:
            self.missing[row] = str(error)
            return
        for drawing in self._drawings[row]:
            drawing(photo)


def reduce_photo(photo: np.ndarray, least: float) -> np.ndarray:
    """Return a photo whose shorter side has `least` pixels, or the photo if it is smaller."""
    from PIL import Image

    height, width = photo.shape[:2]
    scale = least / min(height, width)
    if scale >= 1:
        return photo
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))


def thumbnail(photo: np.ndarray, side: int) -> np.ndarray:
    """Return the central square of a photo, uint8 `[side, side, 3]`."""
    height, width = photo.shape[:2]
    return cut(photo, (0, 0, width, height), side)


def cut(photo: np.ndarray, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    """Return the central square of a box of a photo, uint8 `[side, side, 3]`.

    Args:
        photo: uint8 `[h, w, 3]`.
        box: (x0, y0, x1, y1) in pixels of the photo, half-open; only its part inside is used.
        side: side of the square.
    """
    from PIL import Image

    height, width = photo.shape[:2]
    x0, y0 = max(0.0, box[0]), max(0.0, box[1])
    x1, y1 = min(float(width), box[2]), min(float(height), box[3])
    edge = min(x1 - x0, y1 - y0)
    if edge < 1e-6:
        return np.full((side, side, 3), BLANK, np.uint8)
    x, y = (x0 + x1 - edge) / 2, (y0 + y1 - edge) / 2
    how = Image.Resampling.NEAREST if side > 4 * edge else Image.Resampling.BICUBIC
    square = Image.fromarray(photo).resize((side, side), how, box=(x, y, x + edge, y + edge))
    return np.asarray(square)


def save_picture(path: Path, pixels: np.ndarray) -> None:
    """Write a JPEG file, or a PNG file if the path ends so."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"quality": QUALITY, "optimize": True}
    if path.suffix == ".png":
        options = {}
    Image.fromarray(np.asarray(pixels)).save(path, **options)
