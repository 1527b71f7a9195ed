"""Mosaics: tiles laid out in rows, with captions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .output import FAINT, INK, SMALL_POINTS
from .style import ACCENT, bare, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CROSS = "#7048e8"
"""The colour of tiles that are crossed out."""

BAR_INCHES, CAPTION_INCHES = 0.9, 0.42
"""Room for a colour bar, and the width of a caption such as "1024"."""

FRAMED = 200
"""Up to this many tiles have a thin frame each; more would only be slow to draw."""


@dataclass(frozen=True, eq=False)
class Mosaic:
    """Tiles on white.

    Attributes:
        pixels: `[H, W, 3]`, floats 0 to 1.
        corners: x and y of each tile's upper left corner.
        size: width and height of a tile.
    """

    pixels: np.ndarray
    corners: tuple[tuple[int, int], ...]
    size: tuple[int, int]

    @property
    def aspect(self) -> float:
        """Height over width."""
        return float(self.pixels.shape[0] / self.pixels.shape[1])


def lay_out(
    tiles: np.ndarray,
    columns: int,
    gap: float = 0.08,
    headroom: float = 0.0,
    pixels: int = 72,
    between: float = 1.0,
) -> Mosaic:
    """Lay tiles `[T, h, w, 3]` out in rows.

    Args:
        tiles: colours, floats 0 to 1.
        columns: tiles per row.
        gap: space between tiles, as a share of a tile's width.
        headroom: space above each tile for its caption, as a share of a tile's width.
        pixels: about how many pixels a small tile is enlarged to, each staying a square.
        between: the grey between tiles, 0 to 1.
    """
    times = max(1, round(pixels / max(tiles.shape[1:3])))
    tiles = tiles.repeat(times, axis=1).repeat(times, axis=2)
    count, high, wide = tiles.shape[:3]
    space, above = max(1, round(gap * wide)), round(headroom * wide)
    rows = math.ceil(count / columns)
    step_x, step_y = wide + space, high + above + space
    canvas = np.full((rows * step_y - space, columns * step_x - space, 3), between)
    corners = []
    for i, tile in enumerate(tiles):
        x, y = i % columns * step_x, i // columns * step_y + above
        canvas[y : y + high, x : x + wide] = tile
        corners.append((x, y))
    return Mosaic(canvas, tuple(corners), (wide, high))


def show(
    ax: Axes,
    mosaic: Mosaic,
    captions: Sequence[str] = (),
    outlined: Collection[int] = (),
    colour: str = INK,
    crossed: Collection[int] = (),
) -> None:
    """Draw a mosaic with a caption above each tile, some outlined, some outlined and crossed out.

    Captions and frames lie inside the axes and are excluded from the layout, because measuring
    hundreds of them takes seconds.
    """
    bare(ax).imshow(mosaic.pixels, interpolation="antialiased")
    ax.set_frame_on(False)
    wide, high = mosaic.size
    for i, (x, y) in enumerate(mosaic.corners):
        if i < len(captions):
            lift = 0.03 * wide
            text = readable(captions[i], 40)
            label = ax.text(
                x - 0.5, y - 0.5 - lift, text, size=SMALL_POINTS, color=colour, va="bottom"
            )
            label.set_in_layout(False)
    frames = [(x - 0.5, y - 0.5, wide, high) for x, y in mosaic.corners]
    if len(frames) <= FRAMED:
        _frame(ax, frames, FAINT, 0.5)
    _frame(ax, [frames[i] for i in sorted(outlined)], ACCENT, 1.6)
    _frame(ax, [frames[i] for i in sorted(crossed)], CROSS, 1.6, crossed=True)


def _frame(
    ax: Axes,
    frames: Sequence[tuple[float, float, int, int]],
    colour: str,
    width: float,
    crossed: bool = False,
) -> None:
    """Draw frames (x, y, width, height) as one artist, which is fast for hundreds of them."""
    from matplotlib.collections import LineCollection

    outlines = [[(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)] for x, y, w, h in frames]
    if crossed:
        outlines += [[(x, y), (x + w, y + h)] for x, y, w, h in frames]
        outlines += [[(x, y + h), (x + w, y)] for x, y, w, h in frames]
    lines = LineCollection(outlines, colors=colour, linewidths=width, capstyle="projecting")
    lines.set_clip_on(False)
    lines.set_in_layout(False)
    ax.add_collection(lines, autolim=False)


def picture_block(pictures: np.ndarray) -> np.ndarray:
    """Join the pictures of a stack, uint8 `[n, h, w, 3]`, to about a square, floats."""
    columns = square(len(pictures), 12)
    return lay_out(pictures / 255, columns, gap=0.06, pixels=1, between=0.82).pixels


def in_equal_size(blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return blocks, floats `[h, w, 3]`, enlarged to the largest height and width.

    The aspect ratio is kept; white fills the rest at the right and below.
    """
    height, width = max(b.shape[0] for b in blocks), max(b.shape[1] for b in blocks)
    return [_enlarged(block, height, width) for block in blocks]


def _enlarged(block: np.ndarray, height: int, width: int) -> np.ndarray:
    if block.shape[:2] == (height, width):
        return block
    from PIL import Image

    scale = min(height / block.shape[0], width / block.shape[1])
    size = max(1, round(block.shape[1] * scale)), max(1, round(block.shape[0] * scale))
    pixels = Image.fromarray((block * 255).round().astype(np.uint8))
    canvas = np.ones((height, width, 3))
    canvas[: size[1], : size[0]] = np.asarray(pixels.resize(size, Image.Resampling.BICUBIC)) / 255
    return canvas


def fit_columns(columns: int, inches: float) -> int:
    """Return how many columns leave room for captions in a width in inches, 0 for any width."""
    return max(1, min(columns, int((inches - BAR_INCHES) / CAPTION_INCHES))) if inches else columns


def square(count: int, widest: int) -> int:
    """Return how many columns make a block of tiles about square, at most `widest`."""
    return max(1, min(widest, math.ceil(math.sqrt(count))))
