"""Tiles with stacks of pictures: patches of photos beside their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Tiles
from .mosaic import Mosaic, in_equal_size, lay_out, picture_block
from .output import MUTED, SMALL_POINTS, TEXT_POINTS, Drawing
from .stack_table import draw_table_of_stacks
from .style import Scene, bare, chosen_panels, new_figure, picture_name, readable
from .tile_layout import PAGES, caption_of, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, NARROW = 9.0, 3.6
MOST_BESIDE = 3
"""Number of stacks above which they are drawn as a table with one row per tile."""

BLOCK_ROWS = 4
NARROWEST, NARROWEST_STACK = 2.1, 1.8
"""Inches that the caption of a block and the title of a stack need."""

HEAD_INCHES = 0.42
"""Room above a block for its caption and the titles of the stacks."""


def draw_stacks(result: Tiles, scene: Scene) -> Iterator[Drawing]:
    """Draw the pictures of all stacks side by side, one block per tile."""
    known = [stack.title for stack in result.stacks]
    chosen = chosen_panels(scene.options, known)
    result = replace(result, stacks=tuple(result.stacks[i] for i in chosen))
    stacks = [result[s.pictures].numpy() for s in result.stacks]
    order = [int(t) for t in result.order] or list(range(len(stacks[0])))
    if not order:
        return
    if len(stacks) > MOST_BESIDE:
        drawings = draw_table_of_stacks(result, scene, stacks, order)
    else:
        across = _blocks_across(len(stacks), scene.options.width or WIDE)
        pages = cut(list(range(len(order))), across * BLOCK_ROWS)
        count = min(len(pages), PAGES)
        drawings = (
            _page(result, scene, stacks, order, pages[i], across, (i + 1, count))
            for i in range(count)
        )
    yield from (replace(drawing, panels=known) for drawing in drawings)


def _page(
    result: Tiles,
    scene: Scene,
    stacks: Sequence[np.ndarray],
    order: Sequence[int],
    page: Sequence[int],
    across: int,
    number: tuple[int, int],
) -> Drawing:
    blocks = [_block(stacks, place, order[place], len(order)) for place in page]
    inches = (scene.options.width or WIDE) / across
    across = min(across, len(page))
    headroom = max(0.11, HEAD_INCHES / inches)
    laid = lay_out(np.stack(blocks), across, gap=0.05, headroom=headroom, pixels=1)
    width = max(NARROW, inches * across)
    figure = new_figure(width, width * laid.aspect)
    axes = bare(figure.add_subplot())
    axes.imshow(laid.pixels, interpolation="antialiased")
    axes.set_frame_on(False)
    for i, place in enumerate(page):
        _head(axes, laid, i, caption_of(result, order[place]), [s.title for s in result.stacks])
    part = f"{len(page)} of {len(order)} drawn units" if number[1] > 1 else ""
    titles = " beside ".join(s.title for s in result.stacks)
    return Drawing(
        name=picture_name(*number),
        figure=figure,
        caption=f"{titles}, best first, one block per unit.",
        title=scene.title(),
        subtitle=scene.subtitle(None, part),
        notes=result.notes,
    )


def _blocks_across(stacks: int, width: float) -> int:
    """Return how many blocks are side by side, at most four stacks."""
    narrowest = max(NARROWEST, NARROWEST_STACK * stacks)
    return max(1, min(4 // stacks, int(width / narrowest)))


def _block(stacks: Sequence[np.ndarray], place: int, tile: int, drawn: int) -> np.ndarray:
    """Join the pictures that belong to one tile, floats `[h, w, 3]`."""
    parts = []
    for pictures in stacks:
        row = place if len(pictures) == drawn else tile
        parts.append(picture_block(pictures[row]))
    parts = in_equal_size(parts)
    space = np.ones((len(parts[0]), max(2, parts[0].shape[1] // 24), 3))
    joined = []
    for part in parts:
        joined += [part, space]
    return np.concatenate(joined[:-1], axis=1)


def _head(axes: Axes, laid: Mosaic, index: int, caption: str, titles: Sequence[str]) -> None:
    """Write a tile's caption above its block, and what the stacks are above their parts."""
    x, y = laid.corners[index]
    wide = laid.size[0]
    _write(axes, (x - 0.5, y), 15, readable(caption, 48), size=TEXT_POINTS, weight="bold")
    share = wide / len(titles)
    for j, title in enumerate(titles):
        start = x - 0.5 + j * (share + wide / 48 / len(titles))
        _write(axes, (start, y), 3, readable(title, 32), size=SMALL_POINTS, color=MUTED)


def _write(axes: Axes, place: tuple[float, float], lift: float, text: str, **how: Any) -> None:
    """Write a text `lift` points above a place."""
    label = axes.annotate(
        text, place, xytext=(0, lift), textcoords="offset points", va="bottom", **how
    )
    label.set_in_layout(False)  # it lies inside the axes, and measuring is slow
