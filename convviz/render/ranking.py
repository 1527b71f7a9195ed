"""Rankings of photos: tiles with one or several photos and lines of text under them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..errors import ConvvizError
from ..images.batch import Item
from ..images.squares import fit_into_square
from ..results.types import Tiles
from .output import INK, MUTED, SMALL_POINTS, Drawing
from .style import Scene, new_figure, picture_name, readable
from .tile_layout import PAGES, caption_of, cut

WIDTH, TILE, GAP = 9.0, 2.1, 0.16
"""Largest width of a page, side of a photo, and the space between two tiles, in inches."""

LINE = SMALL_POINTS * 1.35 / 72
"""Height of a line of text, in inches."""

ROWS = 5
"""Rows of tiles on a page."""

LETTER = 0.58
"""Average width of a letter, as a share of the type size."""

Load = Callable[[Item], np.ndarray]
"""Reads the photo of an item, uint8 `[h, w, 3]`."""


def draw_ranking(result: Tiles, scene: Scene) -> Iterator[Drawing]:
    """Draw the photos of the tiles in their order, as many pages as it takes, at most six."""
    order = [int(tile) for tile in result.order]
    if not order:
        return iter([_empty(result, scene)])
    photos = result[result.stacks[0].pictures].numpy()
    beside = photos.shape[1]
    across = min(max(1, int(WIDTH / (beside * TILE + GAP))), len(order))
    rows = cut(list(range(-(-len(order) // across))), ROWS)  # pages end with full rows
    pages = [range(r[0] * across, min(len(order), (r[-1] + 1) * across)) for r in rows]
    count = min(len(pages), PAGES)
    return (
        _page(result, scene, photos, page, across, i + 1, count)
        for i, page in enumerate(pages[:PAGES])
    )


def _empty(result: Tiles, scene: Scene) -> Drawing:
    """Draw the notes of a ranking without photos."""
    figure = new_figure(WIDTH * 0.6, 0.3)
    figure.add_subplot().set_axis_off()
    part = f"none of {len(result.values)} drawn" if len(result.values) else "none"
    return Drawing(
        name=picture_name(1, 1),
        figure=figure,
        caption=f"{result.stacks[0].title}: {part}.",
        title=scene.title(),
        subtitle=scene.subtitle(None, part),
        notes=result.notes,
    )


def _page(
    result: Tiles,
    scene: Scene,
    photos: np.ndarray,
    page: Sequence[int],
    across: int,
    index: int,
    count: int,
) -> Drawing:
    order, beside = [int(result.order[place]) for place in page], photos.shape[1]
    captions = [caption_of(result, tile).split("\n") for tile in order]
    below = max(map(len, captions)) * LINE + GAP
    wide, high = beside * TILE, TILE + below
    rows = -(-len(page) // across)
    size = (across * (wide + GAP), rows * high)
    figure = new_figure(*size)
    axes = figure.add_subplot()
    for i, (place, lines) in enumerate(zip(page, captions, strict=True)):
        left, top = i % across * (wide + GAP), i // across * high
        for j, photo in enumerate(photos[place]):
            x = left + j * TILE
            extent = (x, x + TILE * 0.98, top + TILE * 0.98, top)
            axes.imshow(photo, extent=extent, interpolation="antialiased")
        _write_lines(axes, lines, left, top + TILE + 0.02, wide)
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect="equal")
    axes.set_axis_off()
    part = f"{order[0] + 1} to {order[-1] + 1} of {len(result.values)}"
    return Drawing(
        name=picture_name(index, count),
        figure=figure,
        caption=f"{result.stacks[0].title}, {part}.",
        title=scene.title(),
        subtitle=scene.subtitle(None, part),
        notes=result.notes,
    )


def _write_lines(axes: object, lines: Sequence[str], left: float, top: float, width: float) -> None:
    """Write the first line of a caption in bold, the others below it."""
    limit = int(width * 72 / (SMALL_POINTS * LETTER))
    for i, line in enumerate(lines):
        drawn_text = axes.text(  # type: ignore[attr-defined]
            left,
            top + i * LINE,
            readable(line, limit - 4 * (i == 0)),
            size=SMALL_POINTS,
            color=INK if i == 0 else MUTED if i > 2 else INK,
            weight="bold" if i == 0 else "normal",
            va="top",
        )
        drawn_text.set_in_layout(False)  # it lies inside the axes, and measuring is slow


def with_photos(result: Tiles, items: Sequence[Item], count: int, load: Load) -> Tiles:
    """Return a ranking whose first `count` tiles are drawn.

    Photos that the result does not hold are read.

    Raises:
        ConvvizError: a photo cannot be read.
    """
    name = result.stacks[0].pictures
    known = result[name][:count]
    items_of_tiles = result["items"]
    if items_of_tiles.ndim == 1:
        items_of_tiles = items_of_tiles[:, None]
    places = items_of_tiles[:count].tolist()
    side = int(known.shape[2]) if known.ndim == 5 and known.shape[2] else 224
    further = [
        np.stack([fit_into_square(_read(items[i], load), side) for i in row])
        for row in places[len(known) :]
    ]
    arrays = {**result.arrays, name: torch.cat([known, *_join_photos(further)])}
    return replace(result, arrays=arrays, order=tuple(range(len(places))))


def _join_photos(photos: Sequence[np.ndarray]) -> list[torch.Tensor]:
    return [torch.from_numpy(np.stack(photos))] if photos else []


def _read(item: Item, load: Load) -> np.ndarray:
    try:
        return load(item)
    except (ConvvizError, OSError) as error:
        raise ConvvizError(f"the photo of {item.id!r} is not available: {error}") from error
