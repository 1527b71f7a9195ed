"""Tiles with many stacks of pictures, as a table: a tile a row, a stack a column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..results.types import Tiles
from .mosaic import in_equal_size, lay_out, picture_block
from .output import INK, MUTED, SMALL_POINTS, TEXT_POINTS, Drawing
from .style import Scene, bare, new_figure, picture_name, readable
from .tile_layout import PAGES, caption_of, cut

COLUMNS, ROWS = 6, 6
INCHES = 1.65


def draw_table_of_stacks(
    result: Tiles, scene: Scene, stacks: Sequence[np.ndarray], order: Sequence[int]
) -> Iterator[Drawing]:
    """Draw the tiles in their order, as many pages as it takes, at most six."""
    width = scene.options.width or COLUMNS * INCHES
    lines = math.ceil(len(stacks) / max(1, min(COLUMNS, int(width / INCHES))))
    pages = cut(list(range(len(order))), max(1, ROWS // lines))
    count = min(len(pages), PAGES)
    return (
        _page(result, scene, stacks, order, pages[i], lines, (i + 1, count)) for i in range(count)
    )


def _page(
    result: Tiles,
    scene: Scene,
    stacks: Sequence[np.ndarray],
    order: Sequence[int],
    page: Sequence[int],
    lines: int,
    number: tuple[int, int],
) -> Drawing:
    columns = math.ceil(len(stacks) / lines)
    blocks: list[np.ndarray] = []
    heads = []
    for place in page:
        for j in range(lines * columns):
            if j < len(stacks):
                row = place if len(stacks[j]) == len(order) else order[place]
                block = picture_block(stacks[j][row])
            else:
                block = np.ones_like(blocks[-1])
            blocks.append(block)
            title = result.stacks[j].title if j < len(stacks) else ""
            heads.append((caption_of(result, order[place]) if j == 0 else "", title))
    laid = lay_out(np.stack(in_equal_size(blocks)), columns, gap=0.07, headroom=0.24, pixels=1)
    width = INCHES * columns
    figure = new_figure(width, width * laid.aspect)
    axes = bare(figure.add_subplot())
    axes.imshow(laid.pixels, interpolation="antialiased")
    axes.set_frame_on(False)
    wide = laid.size[0]
    for (x, y), (caption, title) in zip(laid.corners, heads, strict=True):
        text = readable(title, 24)
        axes.text(x - 0.5, y - 0.03 * wide, text, size=SMALL_POINTS, color=MUTED, va="bottom")
        if caption:
            at = y - 0.13 * wide
            axes.text(
                x - 0.5, at, readable(caption, 40), size=TEXT_POINTS, color=INK, weight="bold",
                va="bottom",
            )  # fmt: skip
    part = f"{len(page)} of {len(order)} drawn units" if number[1] > 1 else ""
    titles = ", ".join(s.title for s in result.stacks)
    return Drawing(
        name=picture_name(*number),
        figure=figure,
        caption=f"{titles}; best first, a row a unit.",
        title=scene.title(),
        subtitle=scene.subtitle(None, part),
        notes=result.notes,
    )
