"""Points -> pictures: a scatter plot coloured by class, and a grid of small pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.types import Points
from .captions import measures_in_words
from .colour import class_colours, class_markers
from .output import DPI, FAINT, MUTED, SMALL_POINTS, Drawing
from .place_names import densest_places, name_places
from .style import Scene, bare, new_figure, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 30
"""Number of classes above which colours are indistinguishable and a single one is used."""

NAMED_IN_PLACE = 20
"""Number of classes above which names are written in the legend only."""

NOT_NAMED = "Class names are in the legend only, because they would overlap on the map."

MOST_VECTOR_DOTS = 5000
"""Number of points above which they are drawn as pixels in vector formats."""

SINGLE = "#3b6ea5"
"""The colour of points that have no class."""

GRID_INCHES = (5.0, 11.0)
TILE_INCHES = 0.42


def draw(result: Points, scene: Scene) -> Iterator[Drawing]:
    """Draw the scatter plot and, if there are pictures and cells, the grid."""
    yield _scatter(result, scene)
    if "thumbnails" in result.arrays and "cells" in result.arrays:
        yield _grid(result, scene)


def _scatter(result: Points, scene: Scene) -> Drawing:
    points = result.values.double().numpy()
    labels = labels_of(result)
    looks = ClassLooks.of(result)
    figure = new_figure(8.4 if looks else 7.2, 6.6)
    ax = figure.add_subplot()
    _frame(ax, result)
    size = float(np.clip(16000 / max(len(points), 1), 3, 46))
    are_named = True
    if looks:
        are_named = _by_class(ax, points, labels, looks, size)
    else:
        _dots(ax, points, size, color=SINGLE, alpha=0.75)
    measures = measures_in_words(result.measures)
    notes = [_say_colour(labels, looks), "" if are_named else NOT_NAMED, measures, *result.notes]
    return Drawing(
        name="scatter",
        figure=figure,
        caption="Every point is an image; images with similar features lie close together.",
        title=scene.title(what=_map_name(result)),
        subtitle=scene.subtitle(None, _how_many(points)),
        notes=notes,
    )


def _frame(ax: Axes, result: Points) -> None:
    """Label the axes, without ticks: only distances between points have a meaning."""
    bare(ax)
    ax.set_xlabel(readable(result.axes[0]), color=MUTED)
    ax.set_ylabel(readable(result.axes[1]), color=MUTED)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.04)


def _dots(ax: Axes, points: np.ndarray, size: float, **how: Any) -> None:
    many = len(points) > MOST_VECTOR_DOTS
    ax.scatter(points[:, 0], points[:, 1], s=size, linewidths=0, rasterized=many, **how)


@dataclass(frozen=True)
class ClassLooks:
    """Name, colour and marker of each class that occurs, by its label."""

    names: Mapping[int, str]
    colours: Mapping[int, str]
    markers: Mapping[int, str]

    @staticmethod
    def of(result: Points) -> ClassLooks | None:
        """Return the looks of the classes of a result, or None if there are none or too many."""
        labels = labels_of(result)
        present = np.unique(labels[labels >= 0]).tolist()
        if not 0 < len(present) <= MOST_CLASSES:
            return None
        return ClassLooks(
            {i: class_name(result.classes, i) for i in present},
            dict(zip(present, class_colours(len(present)), strict=True)),
            dict(zip(present, class_markers(len(present)), strict=True)),
        )


def _by_class(
    ax: Axes, points: np.ndarray, labels: np.ndarray, looks: ClassLooks, size: float
) -> bool:
    """Draw each class in its colour and name it in the legend; if they are few, on the map too.

    Returns False if names do not fit on the map.
    """
    if (labels < 0).any():
        _dots(ax, points[labels < 0], size, color=FAINT, label="no label")
    for label, name in looks.names.items():
        members = points[labels == label]
        colour, marker = looks.colours[label], looks.markers[label]
        text = f"{readable(name, 24)} ({len(members)})"
        _dots(ax, members, size, color=colour, marker=marker, label=text)
    is_few = len(looks.names) <= NAMED_IN_PLACE
    ax.figure.legend(
        loc="outside right upper",
        title="class (images)",
        markerscale=max(1.0, (30 / size) ** 0.5),
        ncols=1 if is_few else 2,
        alignment="left",
        handletextpad=0.2,
    )
    if not is_few:
        return True
    places = densest_places(points, labels)
    return name_places(ax, places, [readable(looks.names[i], 16) for i in places])


def _grid(result: Points, scene: Scene) -> Drawing:
    cells = result["cells"].numpy()
    shown = cells[:, 0] >= 0
    columns = int(cells[shown, 1].max(initial=0)) + 1
    width = float(np.clip(columns * TILE_INCHES, *GRID_INCHES))
    looks = ClassLooks.of(result)
    # Tiles have the size at which they are drawn, so memory does not depend on their resolution.
    largest = round(width * DPI / columns)
    canvas = grid_canvas(cells, result["thumbnails"].numpy(), largest, _frames(result, looks))
    figure = new_figure(width, width * canvas.shape[0] / canvas.shape[1])
    ax = bare(figure.add_subplot())
    ax.imshow(canvas, interpolation="antialiased")
    ax.set_frame_on(False)
    if looks:
        _grid_legend(figure, looks, result, width)
    note = "Each picture lies in the cell nearest to its point."
    return Drawing(
        name="grid",
        figure=figure,
        caption="The same map with the images themselves.",
        title=scene.title(what=_map_name(result) + " as a grid"),
        subtitle=scene.subtitle(None, f"{int(shown.sum())} images"),
        notes=[note + " Frames: classes." * (looks is not None), *result.notes],
    )


def _frames(result: Points, looks: ClassLooks | None) -> np.ndarray | None:
    """Return the colour of each point's class, uint8 `[n, 3]`, or None without classes."""
    if looks is None:
        return None
    from matplotlib.colors import to_rgb

    by_label = {label: to_rgb(colour) for label, colour in looks.colours.items()}
    none = to_rgb(FAINT)
    rgb = np.array([by_label.get(int(label), none) for label in labels_of(result)])
    return np.asarray((rgb * 255).round().astype(np.uint8))


def _grid_legend(figure: Figure, looks: ClassLooks, result: Points, width: float) -> None:
    """Name the colours of the frames above the grid; the figure grows by the legend."""
    from matplotlib.patches import Patch

    keys = [
        Patch(facecolor="none", edgecolor=looks.colours[i], linewidth=2.5, label=readable(name, 24))
        for i, name in looks.names.items()
    ]
    if (labels_of(result) < 0).any():
        keys.append(Patch(facecolor="none", edgecolor=FAINT, linewidth=2.5, label="no label"))
    letters = max(len(str(key.get_label())) for key in keys) + 6
    columns = max(1, min(len(keys), int(width * 72 / (letters * SMALL_POINTS * 0.6))))
    lines = -(-len(keys) // columns)
    height = float(figure.get_size_inches()[1])
    figure.set_size_inches(width, height + lines * SMALL_POINTS * 1.5 / 72 + 0.2)
    figure.axes[0].legend(
        handles=keys,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        handlelength=1.0,
        borderaxespad=0.6,
        borderpad=0.0,
    )


def grid_canvas(
    cells: np.ndarray,
    thumbnails: np.ndarray,
    largest: int | None = None,
    frames: np.ndarray | None = None,
) -> np.ndarray:
    """Return a canvas with pictures at their cells and white lines between them.

    Args:
        cells: row and column of each picture `[n, 2]`; -1 for none.
        thumbnails: the pictures `[n, s, s, 3]`.
        largest: pictures of more pixels a side are shrunk to that, one at a time.
        frames: a colour around each picture, uint8 `[n, 3]`.
    """
    shown = np.flatnonzero(cells[:, 0] >= 0)
    side = min(thumbnails.shape[1], largest or thumbnails.shape[1])
    line = max(1, side // 24)
    frame = 0 if frames is None else max(1, side // 16)
    rows, columns = (cells[shown].max(axis=0, initial=0) + 1).tolist()
    step = side + 2 * frame + line
    canvas = np.full((rows * step + line, columns * step + line, 3), 255, dtype=np.uint8)
    for i in shown:
        y, x = cells[i] * step + line
        if frames is not None:
            canvas[y : y + step - line, x : x + step - line] = frames[i]
        y, x = y + frame, x + frame
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


def _say_colour(labels: np.ndarray, looks: ClassLooks | None) -> str:
    count = len(np.unique(labels[labels >= 0]))
    if looks or not count:
        return ""
    return f"{count} classes are too many to tell apart by colour; the grid shows the images."


def _how_many(points: np.ndarray) -> str:
    return f"{int(np.isfinite(points).all(axis=1).sum())} images"
