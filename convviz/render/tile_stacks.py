"""Tiles with stacks of pictures: patches of photos beside their gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..results.types import Tiles
from .mosaic import Mosaic, lay_out, picture_block
from .stack_table import draw_table_of_stacks
from .style import (
    INK,
    MUTED,
    SMALL_POINTS,
    TEXT_POINTS,
    Picture,
    Scene,
    bare,
    new_figure,
    picture_name,
    readable,
    title_block,
    to_png,
)
from .tile_layout import PAGES, caption_of, cut

WIDE, NARROW = 9.0, 3.6
MOST_BESIDE = 3
"""Number of stacks above which they are drawn as a table with one row per tile."""

BLOCK_ROWS = 4


def draw_stacks(result: Tiles, scene: Scene) -> list[Picture]:
    """Draw the pictures of all stacks side by side, one block per tile."""
    stacks = [result[s.pictures].numpy() for s in result.stacks]
    order = [int(t) for t in result.order] or list(range(len(stacks[0])))
    if not order:
        return []
    if len(stacks) > MOST_BESIDE:
        return draw_table_of_stacks(result, scene, stacks, order)
    across = max(1, 4 // len(stacks))
    pages = cut(list(range(len(order))), across * BLOCK_ROWS)
    count = min(len(pages), PAGES)
    return [
        _page(result, scene, stacks, order, pages[i], across, (i + 1, count)) for i in range(count)
    ]


def _page(
    result: Tiles,
    scene: Scene,
    stacks: Sequence[np.ndarray],
    order: Sequence[int],
    page: Sequence[int],
    across: int,
    number: tuple[int, int],
) -> Picture:
    blocks = [_block(stacks, place, order[place], len(order)) for place in page]
    across = min(across, len(page))
    laid = lay_out(np.stack(blocks), across, gap=0.05, headroom=0.11, pixels=1)
    width = max(NARROW, WIDE * across / max(1, 4 // len(stacks)))
    figure = new_figure(width, width * laid.aspect)
    axes = bare(figure.add_subplot())
    axes.imshow(laid.pixels, interpolation="antialiased")
    axes.set_frame_on(False)
    for i, place in enumerate(page):
        _head(axes, laid, i, caption_of(result, order[place]), [s.title for s in result.stacks])
    part = f"{len(page)} of {len(order)} drawn units" if number[1] > 1 else ""
    title_block(figure, scene.title(), scene.subtitle(None, part), result.notes)
    titles = " beside ".join(s.title for s in result.stacks)
    return Picture(
        picture_name(*number), to_png(figure), f"{titles}, best first, one block per unit."
    )


def _block(stacks: Sequence[np.ndarray], place: int, tile: int, drawn: int) -> np.ndarray:
    """Join the pictures that belong to one tile, floats `[h, w, 3]`."""
    parts = []
    for pictures in stacks:
        row = place if len(pictures) == drawn else tile
        parts.append(picture_block(pictures[row]))
    tall = max(p.shape[0] for p in parts)
    space = np.ones((tall, max(2, parts[0].shape[1] // 24), 3))
    joined = []
    for p in parts:
        below = np.ones((tall - p.shape[0], p.shape[1], 3))
        joined += [np.concatenate([p, below]), space]
    return np.concatenate(joined[:-1], axis=1)


def _head(axes: object, laid: Mosaic, index: int, caption: str, titles: Sequence[str]) -> None:
    """Write a tile's caption above its block, and what the stacks are above their parts."""
    x, y = laid.corners[index]
    wide = laid.size[0]
    lift = wide * 0.012
    text = axes.text  # type: ignore[attr-defined]
    text(
        x - 0.5,
        y - lift - wide * 0.042,
        readable(caption, 48),
        size=TEXT_POINTS,
        color=INK,
        weight="bold",
        va="bottom",
    )
    share = wide / len(titles)
    for j, title in enumerate(titles):
        start = x - 0.5 + j * (share + wide / 48 / len(titles))
        text(start, y - lift, readable(title, 32), size=SMALL_POINTS - 1, color=MUTED, va="bottom")
