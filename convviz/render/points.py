"""Points -> pictures: a scatter plot coloured by class, and a grid of small pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Points
from .captions import measures_in_words
from .colour import class_colours, class_markers
from .place_names import densest_places, name_places
from .style import (
    DPI,
    FAINT,
    MUTED,
    Picture,
    Scene,
    bare,
    new_figure,
    readable,
    title_block,
    to_png,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES = 30
"""Number of classes above which colours are indistinguishable and a single one is used."""

NAMED_IN_PLACE = 20
"""Number of classes above which names are written in the legend only."""

NOT_NAMED = "Class names are in the legend only, because they would overlap on the map."

SINGLE = "#3b6ea5"
"""The colour of points that have no class."""

GRID_INCHES = (5.0, 11.0)
TILE_INCHES = 0.42


def draw(result: Points, scene: Scene) -> list[Picture]:
    """Draw the scatter plot and, if there are pictures and cells, the grid."""
    pictures = [_scatter(result, scene)]
    if "thumbnails" in result.arrays and "cells" in result.arrays:
        pictures.append(_grid(result, scene))
    return pictures


def _scatter(result: Points, scene: Scene) -> Picture:
    points = result.values.double().numpy()
    labels = labels_of(result)
    coloured = 0 < len(np.unique(labels[labels >= 0])) <= MOST_CLASSES
    figure = new_figure(8.4 if coloured else 7.2, 6.6)
    ax = figure.add_subplot()
    _frame(ax, result)
    size = float(np.clip(16000 / max(len(points), 1), 3, 46))
    if coloured:
        named = _by_class(ax, points, labels, result.classes, size)
    else:
        named = True
        _dots(ax, points, size, color=SINGLE, alpha=0.75)
    notes = [
        _say_colour(labels, coloured),
        "" if named else NOT_NAMED,
        measures_in_words(result.measures),
        *result.notes,
    ]
    title_block(
        figure, scene.title(what=_map_name(result)), scene.subtitle(None, _how_many(points)), notes
    )
    caption = (
        "Every point is an image; images with similar features lie close together. "
        + measures_in_words(result.measures)
    )
    return Picture("scatter", to_png(figure), caption.strip())


def _frame(ax: Axes, result: Points) -> None:
    """Label the axes, without ticks: only distances between points have a meaning."""
    bare(ax)
    ax.set_xlabel(readable(result.axes[0]), color=MUTED)
    ax.set_ylabel(readable(result.axes[1]), color=MUTED)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.04)


def _dots(ax: Axes, points: np.ndarray, size: float, **how: Any) -> None:
    ax.scatter(points[:, 0], points[:, 1], s=size, linewidths=0, **how)


def _by_class(
    ax: Axes, points: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], size: float
) -> bool:
    """Draw each class in its colour and name it in the legend; if they are few, on the map too.

    Returns False if names do not fit on the map.
    """
    present = np.unique(labels[labels >= 0])
    none = labels < 0
    if none.any():
        ax.scatter(
            points[none, 0], points[none, 1], s=size, color=FAINT, linewidths=0, label="no label"
        )
    looks = zip(present, class_colours(len(present)), class_markers(len(present)), strict=True)
    for index, colour, marker in looks:
        members = points[labels == index]
        name = f"{readable(class_name(classes, index), 24)} ({len(members)})"
        ax.scatter(
            members[:, 0],
            members[:, 1],
            s=size,
            color=colour,
            marker=marker,
            linewidths=0,
            label=name,
        )
    few = len(present) <= NAMED_IN_PLACE
    ax.figure.legend(
        loc="outside right upper",
        title="class (images)",
        markerscale=max(1.0, (30 / size) ** 0.5),
        ncols=1 if few else 2,
        alignment="left",
        handletextpad=0.2,
    )
    if not few:
        return True
    places = densest_places(points, labels)
    return name_places(ax, places, [readable(class_name(classes, i), 16) for i in places])


def _grid(result: Points, scene: Scene) -> Picture:
    cells = result["cells"].numpy()
    shown = cells[:, 0] >= 0
    columns = int(cells[shown, 1].max(initial=0)) + 1
    rows = int(cells[shown, 0].max(initial=0)) + 1
    width = float(np.clip(columns * TILE_INCHES, *GRID_INCHES))
    # Tiles have the size at which they are drawn, so memory does not depend on their resolution.
    canvas = grid_canvas(cells, result["thumbnails"].numpy(), round(width * DPI / columns))
    figure = new_figure(width, width * canvas.shape[0] / canvas.shape[1])
    bare(figure.add_subplot()).imshow(canvas, interpolation="antialiased")
    caption = f"{int(shown.sum())} images in {rows} x {columns} cells"
    note = "Each picture lies in the cell nearest to its point, so that none covers another."
    title_block(
        figure,
        scene.title(what=_map_name(result) + " as a grid"),
        scene.subtitle(None, caption),
        [note, *result.notes],
    )
    caption = "The same map with the images themselves: neighbours look alike to the network."
    return Picture("grid", to_png(figure), caption)


def grid_canvas(
    cells: np.ndarray, thumbnails: np.ndarray, largest: int | None = None
) -> np.ndarray:
    """Return a canvas with pictures `[n, s, s, 3]` at their cells `[n, 2]` and lines between them.

    Pictures of more pixels a side than `largest` are shrunk to that, one at a time.
    """
    shown = np.flatnonzero(cells[:, 0] >= 0)
    side = min(thumbnails.shape[1], largest or thumbnails.shape[1])
    gap = max(1, side // 24)
    rows, columns = (cells[shown].max(axis=0, initial=0) + 1).tolist()
    step = side + gap
    canvas = np.full((rows * step + gap, columns * step + gap, 3), 255, dtype=np.uint8)
    for i in shown:
        y, x = cells[i] * step + gap
        canvas[y : y + side, x : x + side] = _shrunk(thumbnails[i], side)
    return canvas


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    if len(pixels) == side:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX))


def labels_of(result: Points) -> np.ndarray:
    """Return the label of every point, -1 where there is none."""
    if "labels" in result.arrays:
        return np.asarray(result["labels"].numpy())
    return np.full(len(result.values), -1)


def class_name(classes: tuple[str, ...], index: int) -> str:
    """Return a class's name, or its number."""
    return classes[index] if 0 <= index < len(classes) else f"class {index}"


def _map_name(result: Points) -> str:
    return f"{result.axes[0].split()[0]} map" if result.axes[0] else "map"


def _say_colour(labels: np.ndarray, coloured: bool) -> str:
    count = len(np.unique(labels[labels >= 0]))
    if coloured or not count:
        return ""
    return f"{count} classes are too many to tell apart by colour; the grid shows the images."


def _how_many(points: np.ndarray) -> str:
    return f"{int(np.isfinite(points).all(axis=1).sum())} images"
