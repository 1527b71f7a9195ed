"""Filters, feature maps and patches as tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Tiles
from . import mosaic
from .output import Drawing
from .ranking import draw_ranking
from .style import (
    ACCENT,
    DIVERGING,
    Scene,
    colour_bar,
    new_figure,
    panel_title,
    picture_name,
)
from .text_table import cell, draw_table, table_inches, top_rows
from .tile_layout import (
    LIST_INCHES,
    PAGES,
    Range,
    caption_of,
    cut,
    is_marked,
    mark_legend,
    page_notes,
    part_of,
    range_of,
    slim,
)
from .tile_maps import draw_maps
from .tile_stacks import draw_stacks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILES_A_PAGE, KERNELS_A_SIDE, ROWS_A_PAGE = 120, 32, 512
LISTED = 14


def draw(result: Tiles, scene: Scene) -> Iterator[Drawing]:
    """Draw the tiles in their layout, as many pages as it takes, at most six."""
    if result.layout == "photos":
        return draw_ranking(result, scene)
    if result.stacks:
        return draw_stacks(result, scene)
    if result.layout == "images":
        return draw_maps(result, scene)
    if result.layout == "matrix":
        return _matrix_pages(result, scene)
    if result.values.ndim == 2:  # the pictures of these tiles are their stacks
        return iter(())
    if result.layout == "grid" and result.values.shape[1] > 1:
        return _grid_pages(result, scene)
    return _tile_pages(result, scene)


def _tile_pages(result: Tiles, scene: Scene) -> Iterator[Drawing]:
    """Draw "rgb", "grey" and one-column "grid" tiles as a mosaic."""
    values = result.values.double().numpy()
    if result.layout == "grid":
        values = values[:, 0]
    return _draw_pages(result, scene, values, TILES_A_PAGE, _tile_page)


def _draw_pages(
    result: Tiles, scene: Scene, values: np.ndarray, size: int, draw: Callable[..., Drawing]
) -> Iterator[Drawing]:
    """Draw the rows of values in their order, `size` per page."""
    order = [int(i) for i in result.order] or list(range(len(values)))
    pages = cut(order, size)
    whole = range_of(values, result.signed, scene.options.cmap)
    return (
        draw(result, scene, values, page, whole, i + 1, len(pages))
        for i, page in enumerate(pages[:PAGES])
    )


def _tile_page(
    result: Tiles,
    scene: Scene,
    values: np.ndarray,
    page: Sequence[int],
    whole: Range,
    index: int,
    count: int,
) -> Drawing:
    colours = np.stack([_colour(result, values[t], whole) for t in page])
    columns = max(min(len(page), 8), mosaic.square(len(page), 12))
    columns = mosaic.fit_columns(columns, scene.options.width)
    laid = mosaic.lay_out(colours, columns, headroom=0.24)
    dead = {i for i, t in enumerate(page) if is_marked(result, t)}
    width = min(6.8, 0.95 * columns)
    figure, axes = _with_side_list(result, width, width * laid.aspect, _is_listed(scene, index))
    mosaic.show(axes, laid, [caption_of(result, t) for t in page], dead)
    _grey_bar(figure, axes, result, whole)
    if dead:
        mark_legend(axes, "dead filter")
    what = "filters" if result.signed else "tiles"
    return Drawing(
        name=picture_name(index, min(count, PAGES)),
        figure=figure,
        caption=f"{len(page)} of {len(values)} {what}" + _scale_words(result),
        title=scene.title(),
        subtitle=scene.subtitle(None, part_of(page, len(values), what) if count > 1 else ""),
        notes=page_notes(result.notes, index, count),
        uses_cmap=result.layout != "rgb",
    )


def _colour(result: Tiles, tile: np.ndarray, whole: Range) -> np.ndarray:
    scale = whole if result.scale == "layer" else range_of(tile, result.signed, whole.cmap)
    return scale.colours(tile) if result.layout == "rgb" else scale.greys(tile)


def _grid_pages(result: Tiles, scene: Scene) -> Iterator[Drawing]:
    """Draw kernels `[T, M, h, w]` as a matrix of small pictures, one row per filter."""
    order = [int(i) for i in result.order] or list(range(len(result.values)))
    inputs = list(range(result.values.shape[1]))
    spots = [
        (rows, ins) for rows in cut(order, KERNELS_A_SIDE) for ins in cut(inputs, KERNELS_A_SIDE)
    ]
    whole = range_of(result.values.double().numpy(), result.signed, scene.options.cmap)
    count = min(len(spots), PAGES)
    return (_grid_page(result, scene, spots, whole, i + 1) for i in range(count))


def _grid_page(
    result: Tiles,
    scene: Scene,
    spots: Sequence[tuple[list[int], list[int]]],
    whole: Range,
    index: int,
) -> Drawing:
    rows, inputs = spots[index - 1]
    values = result.values[rows][:, inputs].double().numpy()
    scales = [
        whole if result.scale == "layer" else range_of(v, result.signed, whole.cmap) for v in values
    ]
    tiles = np.concatenate([s.greys(v) for s, v in zip(scales, values, strict=True)])
    laid = mosaic.lay_out(tiles, len(inputs), gap=0.12, pixels=24)
    width = min(7.0, max(2.0, 0.5 * len(inputs)))
    figure, axes = _with_side_list(
        result, width, min(width * laid.aspect, 11.0), _is_listed(scene, index)
    )
    mosaic.show(axes, laid)
    _label_grid(result, axes, laid, rows, inputs)
    _grey_bar(figure, axes, result, whole)
    if any(is_marked(result, t) for t in rows):
        mark_legend(axes, "dead filter")
    part = f"{part_of(rows, len(result.values), 'filters')}, inputs {inputs[0]}–{inputs[-1]}"
    what = f"Kernels: one row per filter, one column an input channel; {part}"
    return Drawing(
        name=picture_name(index, min(len(spots), PAGES)),
        figure=figure,
        caption=what + _scale_words(result),
        title=scene.title(),
        subtitle=scene.subtitle(None, part),
        notes=page_notes(result.notes, index, len(spots)),
        uses_cmap=True,
    )


def _label_grid(
    result: Tiles, axes: Any, laid: mosaic.Mosaic, rows: Sequence[int], inputs: Sequence[int]
) -> None:
    wide, high = laid.size
    across = [laid.corners[j][0] + wide / 2 for j in range(len(inputs))]
    down = [laid.corners[i * len(inputs)][1] + high / 2 for i in range(len(rows))]
    every = max(1, len(inputs) // 16)
    axes.set_xticks(across[::every], [str(j) for j in inputs[::every]])
    axes.set_yticks(down, [caption_of(result, t) for t in rows])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("input channel")
    axes.set_ylabel("filter")
    axes.tick_params(length=0)
    for label, t in zip(axes.get_yticklabels(), rows, strict=True):
        if is_marked(result, t):
            label.set(color=ACCENT, weight="bold")


def _matrix_pages(result: Tiles, scene: Scene) -> Iterator[Drawing]:
    """Draw weights `[T, M]` (or `[T, M, 1, 1]`) as a coloured matrix."""
    values = result.values.double().flatten(1).numpy()
    return _draw_pages(result, scene, values, ROWS_A_PAGE, _matrix_page)


def _matrix_page(
    result: Tiles,
    scene: Scene,
    values: np.ndarray,
    page: Sequence[int],
    whole: Range,
    index: int,
    count: int,
) -> Drawing:
    rows, columns = len(page), values.shape[1]
    shown = values[list(page)]
    if result.scale == "tile":
        sizes = np.nanmax(np.abs(shown), axis=1, keepdims=True, initial=0.0)
        shown, whole = shown / np.where(sizes > 0, sizes, 1), Range(-1.0, 1.0, whole.cmap)
    width = 7.0 if columns >= rows else max(2.5, 7.0 * columns / rows)
    height = min(9.0, max(1.2, width * rows / columns))
    figure, axes = _with_side_list(result, width, height, _is_listed(scene, index))
    drawn = axes.imshow(
        shown,
        cmap=scene.options.cmap or (DIVERGING if result.signed else "gray"),
        vmin=whole.low,
        vmax=whole.high,
        aspect="auto",
        interpolation="nearest" if max(rows, columns) < 200 else "antialiased",
    )
    _label_matrix(result, axes, page)
    colour_bar(figure, drawn, axes, result.unit + _per_tile(result), aspect=slim(height))
    what = "Weights as a matrix: one row per filter, one column an input channel"
    return Drawing(
        name=picture_name(index, min(count, PAGES)),
        figure=figure,
        caption=what + _scale_words(result),
        title=scene.title(),
        subtitle=scene.subtitle(None, part_of(page, len(values), "filters") if count > 1 else ""),
        notes=page_notes(result.notes, index, count),
        uses_cmap=True,
    )


def _label_matrix(result: Tiles, axes: Any, page: Sequence[int]) -> None:
    axes.set_xlabel("input channel")
    axes.set_ylabel("filter")
    every = max(1, math.ceil(len(page) / 24))
    axes.set_yticks(range(0, len(page), every), [caption_of(result, t) for t in page[::every]])
    axes.tick_params(length=2)
    marked = [i for i, t in enumerate(page) if is_marked(result, t)]
    if marked:
        right = axes.get_xlim()[1]
        axes.scatter(
            [right] * len(marked), marked, marker="<", s=18, color=ACCENT, clip_on=False, zorder=3
        )
        mark_legend(axes, "dead filter")


def _list_rows(result: Tiles, count: int) -> tuple[list[str], list[list[str]]]:
    """Return head and top rows of the table, without columns that would be empty."""
    picked = top_rows(result.table, count)
    columns = {name: [cell(column[t]) for t in picked] for name, column in result.table.items()}
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    names = [caption_of(result, t) for t in picked]
    noun = "filter" if result.signed else "tile"
    return [noun, *columns], [list(row) for row in zip(names, *columns.values(), strict=True)]


def _is_listed(scene: Scene, index: int) -> bool:
    """Return whether a page has the table: the first one, if it is wide enough."""
    return index == 1 and not 0 < scene.options.width < LIST_INCHES


def _with_side_list(result: Tiles, width: float, height: float, listed: bool) -> tuple[Figure, Any]:
    """Return a figure with axes for the tiles, the top rows of the table beside them."""
    if not (listed and result.table):
        figure = new_figure(width + 0.9, height)
        return figure, figure.add_subplot()
    fitting = max(4, int(height / 0.2) - 2)
    head, rows = _list_rows(result, min(LISTED, fitting))
    wide, high = table_inches(head, rows)
    figure = new_figure(width + 0.9 + wide + 0.3, max(height, high))
    grid = figure.add_gridspec(
        2, 2, width_ratios=[width + 0.9, wide], height_ratios=[high, max(0.01, height - high)]
    )
    listing = figure.add_subplot(grid[0, 1])
    draw_table(listing, head, rows)
    panel_title(listing, f"largest {head[1]}" if len(head) > 1 else "")
    return figure, figure.add_subplot(grid[:, 0])


def _grey_bar(figure: Figure, axes: Any, result: Tiles, whole: Range) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    low, high = (whole.low, whole.high)
    if result.scale == "tile":
        low, high = (-1.0 if result.signed else 0.0, 1.0)
    mapped = ScalarMappable(Normalize(low, high), "gray" if result.layout == "rgb" else whole.cmap)
    each = ", each colour" if result.layout == "rgb" else ""
    label = result.unit + _per_tile(result) + each
    colour_bar(figure, mapped, axes, label, aspect=slim(figure.get_size_inches()[1]))


def _per_tile(result: Tiles) -> str:
    return " ÷ largest of its tile" if result.scale == "tile" else ""


def _scale_words(result: Tiles) -> str:
    return ", one scale for the layer." if result.scale == "layer" else ", each on its own scale."
