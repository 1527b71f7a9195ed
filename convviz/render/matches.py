"""Matches: each query with its neighbours in feature space and, below, in pixel space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..results import Matches
from .captions import figures_in_words
from .points import class_name
from .style import (
    INK,
    MUTED,
    SMALL_POINTS,
    Picture,
    Scene,
    bare,
    new_figure,
    number,
    readable,
    shortened_path,
    show_pixels,
    title_block,
    to_png,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

QUERIES, ACROSS = 5, 8
"""Queries, and neighbours of each, that are drawn."""

TILE = 1.02
"""Side of a picture with its margins, in inches."""

CAPTION = 0.24
"""Height of the two lines under a picture, in inches."""

BETWEEN = 0.07
"""Space between two queries, as a share of the height of one."""

RIGHT, WRONG = "#00725c", "#b5460f"


@dataclass(frozen=True)
class Row:
    """Neighbours of one query in one space: item places, distances, and the row's name."""

    name: str
    indices: np.ndarray
    distances: np.ndarray


def draw(result: Matches, scene: Scene) -> list[Picture]:
    """Draw some queries, the best-known contrast first: features above, pixels below."""
    queries = chosen(result)
    across = min(ACROSS, result.values.shape[1])
    spaces = 2 if "pixel_indices" in result.arrays else 1
    if not queries or not across or "thumbnails" not in result.arrays:
        return []
    height = len(queries) * spaces * (TILE + CAPTION)
    figure = new_figure((across + 1.75) * TILE, height)
    bands = figure.subfigures(len(queries), 1, squeeze=False, hspace=BETWEEN)[:, 0]
    for band, query in zip(bands, queries, strict=True):
        _query(band, result, query, across, scene)
    notes = [*_legend(result), figures_in_words(result.figures), *result.notes]
    said = scene.subtitle(None, _how_many(result, queries))
    title_block(figure, scene.title(what="nearest images"), said, notes)
    return [Picture("neighbors", to_png(figure), _caption(result))]


def chosen(result: Matches) -> tuple[int, ...]:
    """Return the queries to draw: those asked for, or one a class, or some spread evenly."""
    if result.show:
        return result.show[:QUERIES]
    usable = np.flatnonzero((result["indices"] >= 0).any(1).numpy())
    labels = query_labels(result)[usable]
    _, first = np.unique(labels, return_index=True)
    pool = usable[np.sort(first)] if len(first) >= QUERIES else usable
    if len(pool) <= QUERIES:
        return tuple(pool.tolist())
    return tuple(pool[np.linspace(0, len(pool) - 1, QUERIES).round().astype(int)].tolist())


def query_labels(result: Matches) -> np.ndarray:
    """Return the label of every query, -1 where there is none."""
    for name in ("query_labels", "labels"):
        if name in result.arrays and len(result[name]) == len(result.values):
            return np.asarray(result[name].numpy())
    return np.full(len(result.values), -1)


def _query(band: SubFigure, result: Matches, query: int, across: int, scene: Scene) -> None:
    """Draw one query at the left of its rows."""
    rows = _rows(result, query)
    grid = band.add_gridspec(
        len(rows), across + 1, width_ratios=[1.5, *[1.0] * across], wspace=0.04, hspace=0.04
    )
    ax = band.add_subplot(grid[:, 0])
    pictures = result["queries" if "queries" in result.arrays else "thumbnails"].numpy()
    label = int(query_labels(result)[query])
    show_pixels(ax, pictures[query], interpolation="bicubic")
    ax.set_anchor("W")
    ax.set_title("query", loc="left", size=SMALL_POINTS, color=MUTED, pad=3)
    ax.set_xlabel(_query_text(result, query, label, scene), size=SMALL_POINTS, loc="left")
    for y, row in enumerate(rows):
        for x in range(across):
            cell = bare(band.add_subplot(grid[y, x + 1]))
            if x == 0:
                cell.set_ylabel(row.name, size=SMALL_POINTS, color=MUTED)
            _neighbour(cell, result, int(row.indices[x]), float(row.distances[x]), label)


def _rows(result: Matches, query: int) -> list[Row]:
    values = result.values.double().numpy()
    rows = [Row("features", result["indices"].numpy()[query], values[query])]
    if "pixel_indices" in result.arrays:
        distances = result["pixel_distances"].double().numpy()
        rows.append(Row("pixels", result["pixel_indices"].numpy()[query], distances[query]))
    return rows


def _query_text(result: Matches, query: int, label: int, scene: Scene) -> str:
    if "queries" in result.arrays:
        name = scene.names[query] if query < len(scene.names) else ""
    else:
        name = result.names[query] if query < len(result.names) else ""
    lines = [readable(_stem(name), 20)] if name else []
    if label >= 0:
        lines.insert(0, readable(class_name(result.classes, label), 20))
    return "\n".join(lines)


def _stem(name: str) -> str:
    """Return a file's name without folders and ending."""
    short = shortened_path(name)
    return short.rsplit(".", 1)[0] or short


def _neighbour(ax: Axes, result: Matches, index: int, distance: float, label: int) -> None:
    """Draw a neighbour, framed and marked by whether its class is the query's."""
    if index < 0:
        ax.set_axis_off()
        return
    show_pixels(ax, result["thumbnails"].numpy()[index], interpolation="bicubic")
    other = int(result["labels"][index]) if "labels" in result.arrays else -1
    colour, mark = INK, ""
    if label >= 0 and other >= 0:
        colour, mark = (RIGHT, "✓ ") if other == label else (WRONG, "✗ ")
        for spine in ax.spines.values():
            spine.set(color=colour, linewidth=2.0)
    name = readable(class_name(result.classes, other), 13) if other >= 0 else ""
    text = f"{mark}{name}\n{number(distance)}" if name else number(distance)
    ax.set_xlabel(text, size=SMALL_POINTS - 0.5, color=colour, labelpad=2, linespacing=1.1)


def _legend(result: Matches) -> list[str]:
    lines = []
    if (query_labels(result) >= 0).any():
        lines.append("✓ the class of the query, ✗ another class.")
    unit = result.unit or "distance"
    below = f"Under each picture: {unit} to the query in feature space"
    if "pixel_indices" in result.arrays:
        below += ", L2 distance of small versions in pixel space"
    return [*lines, below + "."]


def _how_many(result: Matches, queries: tuple[int, ...]) -> str:
    n, k = result.values.shape
    shown = f"{len(queries)} of {n} queries" if len(queries) < n else ""
    return shown + (f"{', ' * bool(shown)}{ACROSS} of {k} neighbours" if k > ACROSS else "")


def _caption(result: Matches) -> str:
    text = "Nearest images by the network's features"
    if "pixel_indices" in result.arrays:
        text += " and, as the contrast, by the pixels themselves"
    return f"{text}. {figures_in_words(result.figures)}".strip()
