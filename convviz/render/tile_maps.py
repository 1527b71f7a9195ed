"""The feature maps of images: the photo, the strongest maps laid over it, and all maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..results.types import Tiles
from . import mosaic
from .colour import Scale, grey, laid_over, resize_nearest, scale_of
from .output import Drawing
from .style import (
    Scene,
    colour_bar,
    new_figure,
    panel_title,
    picture_name,
    sentence,
    show_pixels,
)
from .text_table import cell, draw_table, table_inches
from .tile_layout import (
    LIST_INCHES,
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

TILES_A_PAGE, PAGES = 144, 4
WIDE = 9.4
SAMPLE = 2_000_000


def draw_maps(result: Tiles, scene: Scene) -> Iterator[Drawing]:
    """Draw the maps of each image, as many pages as it takes, at most four an image."""
    scale = replace(_scale(result.values.numpy()), map_name=scene.options.cmap or "gray")
    todo = []
    for image in range(len(result.values)):
        pages = cut(_order(result, image), TILES_A_PAGE)
        todo += [(image, i, page, len(pages)) for i, page in enumerate(pages[:PAGES])]
    return (
        _page(result, scene, scale, place, picture_name(i + 1, len(todo)))
        for i, place in enumerate(todo)
    )


def _scale(values: np.ndarray) -> Scale:
    """Return one scale for the layer: black at zero and below."""
    flat = values.reshape(-1)
    sample = flat[:: max(1, flat.size // SAMPLE)]
    top = np.nanmax(np.where(np.isfinite(flat), flat, np.nan), initial=0.0)
    scale = scale_of(np.append(np.clip(sample, 0, None), top))
    return Scale(0.0, scale.high if top > 0 else 1.0, extend=scale.extend, note=scale.note)


def _order(result: Tiles, image: int) -> list[int]:
    if not result.order:
        return list(range(result.values.shape[1]))
    row = result.order[image] if isinstance(result.order[0], tuple | list) else result.order
    return [int(t) for t in row]


def _page(
    result: Tiles, scene: Scene, scale: Scale, place: tuple[int, int, list[int], int], name: str
) -> Drawing:
    image, index, page, pages = place
    values = result.values[image].numpy()
    columns = max(min(len(page), 8), mosaic.square(len(page), 14))
    columns = mosaic.fit_columns(columns, scene.options.width)
    laid = mosaic.lay_out(_greys(values[page], scale), columns, headroom=0.26)
    width = min(WIDE - 0.9, 1.1 * columns)
    top = _top_inches(result, scene, image) if index == 0 else 0.0
    figure = new_figure(WIDE if top else width + 0.9, top + width * laid.aspect)
    if top:
        grid = figure.add_gridspec(2, 1, height_ratios=[top, width * laid.aspect])
        _draw_top(figure, grid[0], result, scene, scale, image)
        axes = figure.add_subplot(grid[1])
    else:
        axes = figure.add_subplot()
    silent = {i for i, t in enumerate(page) if _is_silent(result, image, t)}
    dead = {i for i in silent if is_marked(result, page[i])}
    silent -= dead
    captions = [caption_of(result, t) for t in page]
    mosaic.show(axes, laid, captions, silent, crossed=dead)
    _bar(figure, axes, scale, result.unit, width * laid.aspect)
    if silent:
        mark_legend(axes, "silent on this input")
    if dead:
        mark_legend(axes, "dead: fired on no image of the data set", mosaic.CROSS, right=True)
    part = part_of(page, len(values), "channels") if pages > 1 else f"{len(values)} channels"
    facts = [*(result.notes if index == 0 else ()), sentence(scale.note)]
    return Drawing(
        name=name,
        figure=figure,
        caption=f"Feature maps, {part}, on one scale for the layer.",
        title=scene.title(),
        subtitle=scene.subtitle(image, part),
        notes=page_notes(facts, index + 1, pages, PAGES),
        uses_cmap=True,
    )


def _greys(values: np.ndarray, scale: Scale) -> np.ndarray:
    return Range(scale.low, scale.high, scale.map_name).greys(values.astype(float))


def _is_silent(result: Tiles, image: int, tile: int) -> bool:
    return "active" in result.arrays and float(result.arrays["active"][image, tile]) == 0.0


def _overlaid(result: Tiles, image: int) -> tuple[int, ...]:
    return result.overlays[image] if image < len(result.overlays) else ()


def _columns(result: Tiles, image: int) -> dict[str, Sequence[Any]]:
    """Return the table's columns for one image, without the image's number."""
    if len(result.values) == 1:
        return dict(result.table)
    end = f" · image {image + 1}"
    return {n.removesuffix(end): c for n, c in result.table.items() if n.endswith(end)}


def _top_inches(result: Tiles, scene: Scene, image: int) -> float:
    """Return the height of the row with photo, overlays and table; 0 if there is none.

    There is none either in a figure that is too narrow for it.
    """
    narrow = 0 < scene.options.width < LIST_INCHES
    if narrow or scene.photo(image) is None or not _overlaid(result, image):
        return 0.0
    return 3.0


def _draw_top(
    figure: Any, place: Any, result: Tiles, scene: Scene, scale: Scale, image: int
) -> None:
    photo = scene.photo(image)
    assert photo is not None
    channels = _overlaid(result, image)
    columns = _columns(result, image)
    head = ["channel", *columns]
    rows = [[caption_of(result, t), *(cell(c[t]) for c in columns.values())] for t in channels[:12]]
    table = table_inches(head, rows)[0] if columns else 0.01
    grid = place.subgridspec(1, 3, width_ratios=[2.4, WIDE - 2.7 - table, table])
    axes = figure.add_subplot(grid[0])
    show_pixels(axes, photo)
    panel_title(axes, "input of the model", 40)
    overlays = np.stack([_overlay(photo, result.values[image, t].numpy()) for t in channels])
    laid = mosaic.lay_out(overlays, min(len(channels), 5 if len(channels) > 4 else 4), 0.06, 0.2)
    captions = [f"channel {caption_of(result, t)}" for t in channels]
    over = figure.add_subplot(grid[1])
    mosaic.show(over, laid, captions)
    panel_title(over, f"{len(channels)} strongest channels on the photo, each on its own scale")
    if columns:
        draw_table(figure.add_subplot(grid[2]), head, rows)


def _overlay(photo: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Lay one map over the photo in grey, floats `[H, W, 3]`."""
    positive = range_of(np.clip(np.nan_to_num(values), 0, None), signed=False)
    scale = Scale(0.0, max(positive.high, 1e-12))
    shown = resize_nearest(values, photo.shape[:2])
    return laid_over(grey(photo), scale.colours(shown), 0.85 * scale.strength(shown) ** 0.7)


def _bar(figure: Any, axes: Any, scale: Scale, unit: str, inches: float) -> None:
    from matplotlib.cm import ScalarMappable

    mapped = ScalarMappable(scale.norm, scale.cmap)
    colour_bar(figure, mapped, axes, unit, scale.extend, aspect=slim(inches))
