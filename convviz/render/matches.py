"""Matches: each query with its neighbours in feature space and, below, in pixel space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..results.types import Matches
from .captions import measures_in_words
from .output import FAINT, INK, MUTED, SMALL_POINTS, Drawing
from .points import class_name
from .style import Scene, new_figure, number, readable, shortened_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUERIES, ACROSS = 5, 8
"""Queries, and neighbours of each, that are drawn."""

TILE, GAP, LINES = 0.96, 0.16, 0.5
"""Side of a picture, the space between two, and the height of the three lines under it, inches."""

QUERY, LEFT, BETWEEN = 1.3, 1.65, 0.2
"""Side of a query, where its neighbours begin, and the space between two queries, inches."""

RIGHT, WRONG = "#00725c", "#b5460f"


@dataclass(frozen=True)
class Row:
    """Neighbours of one query in one space: name of the row, indices of items, distances."""

    name: str
    indices: np.ndarray
    distances: np.ndarray


def draw(result: Matches, scene: Scene) -> Iterator[Drawing]:
    """Draw some queries with their neighbours by features above those by pixels."""
    queries = choose_queries(result)
    across = min(ACROSS, result.values.shape[1])
    spaces = 2 if "pixel_indices" in result.arrays else 1
    if not queries or not across or "thumbnails" not in result.arrays:
        return
    size = (LEFT + across * (TILE + GAP), len(queries) * _height(spaces) - BETWEEN)
    figure = new_figure(*size)
    ax = figure.add_subplot()
    for i, query in enumerate(queries):
        _query(ax, result, query, across, scene, i * _height(spaces))
    ax.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect="equal")
    ax.set_axis_off()
    yield Drawing(
        name="neighbors",
        figure=figure,
        caption=_caption(result),
        title=scene.title(what="nearest images"),
        subtitle=scene.subtitle(None, _how_many(result, queries)),
        notes=[*_legend(result), measures_in_words(result.measures), *result.notes],
    )


def choose_queries(result: Matches) -> tuple[int, ...]:
    """Return the queries to draw: those of `show`, else one per class, else evenly spaced ones."""
    if result.show:
        return result.show
    usable = np.flatnonzero((result["indices"] >= 0).any(1).numpy())
    labels = query_labels(result)[usable]
    _, first = np.unique(labels, return_index=True)
    pool = usable[np.sort(first)] if len(first) >= QUERIES else usable
    if len(pool) <= QUERIES:
        return tuple(pool.tolist())
    return tuple(pool[np.linspace(0, len(pool) - 1, QUERIES).round().astype(int)].tolist())


def query_labels(result: Matches) -> np.ndarray:
    """Return the label of every query, -1 for none."""
    for name in ("query_labels", "labels"):
        if name in result.arrays and len(result[name]) == len(result.values):
            return np.asarray(result[name].numpy())
    return np.full(len(result.values), -1)


def has_pairs(result: Matches) -> bool:
    """Return whether a query can have a neighbour of its class."""
    if "labels" not in result.arrays:
        return False
    labels = np.asarray(result["labels"].numpy())
    labels = labels[labels >= 0]
    return "query_labels" in result.arrays or len(np.unique(labels)) < len(labels)


def _height(spaces: int) -> float:
    """Return the height of one query with its rows and the space under it, in inches."""
    return max(spaces * (TILE + LINES), QUERY + LINES + 0.2) + BETWEEN


def _query(ax: Axes, result: Matches, query: int, across: int, scene: Scene, top: float) -> None:
    """Draw one query at the left of its rows."""
    pictures = result["queries" if "queries" in result.arrays else "thumbnails"].numpy()
    label = int(query_labels(result)[query])
    ax.text(0, top + 0.1, "query", size=SMALL_POINTS, color=MUTED, va="center")
    _picture(ax, pictures[query], 0, top + 0.2, QUERY, FAINT, 0.8)
    text = _query_text(result, query, label, scene)
    ax.text(0, top + 0.2 + QUERY + 0.06, text, size=SMALL_POINTS, va="top", linespacing=1.2)
    for y, row in enumerate(_rows(result, query)):
        at = top + y * (TILE + LINES)
        ax.text(
            LEFT - 0.12,
            at + TILE / 2,
            row.name,
            size=SMALL_POINTS,
            color=MUTED,
            rotation=90,
            ha="center",
            va="center",
        )
        for x in range(across):
            place = (LEFT + x * (TILE + GAP), at)
            _neighbour(ax, result, int(row.indices[x]), float(row.distances[x]), label, place)


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
    known = [readable(class_name(result.classes, label), 17)] if label >= 0 else []
    return "\n".join([*known, *_name_lines(name, 17, 2)])


def _item_name(result: Matches, index: int, limit: int, lines: int) -> list[str]:
    return _name_lines(result.names[index], limit, lines) if index < len(result.names) else []


def _name_lines(name: str, limit: int, lines: int) -> list[str]:
    """Return the lines of an item's name: the stem of its file, broken between words.

    A stem that is a number gets "image" before it, since the class may be a number too.
    """
    stem = _stem(name)
    label = readable(f"image {stem}" if stem.isdigit() else stem, 1000)
    if not label or lines == 1 or len(label) <= limit:
        return [readable(label, limit)] if label else []
    at = max((i + 1 for i, c in enumerate(label[:limit]) if c in "_- ."), default=limit)
    return [label[:at], readable(label[at:], limit)]


def _stem(name: str) -> str:
    """Return the name of a file without folders and suffix."""
    short = shortened_path(name)
    return short.rsplit(".", 1)[0] or short


def _neighbour(
    ax: Axes,
    result: Matches,
    index: int,
    distance: float,
    label: int,
    place: tuple[float, float],
) -> None:
    """Draw a neighbour; its frame and mark show whether it has the class of the query."""
    if index < 0:
        return
    other = int(result["labels"][index]) if "labels" in result.arrays else -1
    colour, mark, line = INK, "", 0.8
    if label >= 0 and other >= 0 and has_pairs(result):
        colour, mark = (RIGHT, "✓ ") if other == label else (WRONG, "✗ ")
        line = 2.0
    edge = FAINT if line < 1 else colour
    _picture(ax, result["thumbnails"].numpy()[index], *place, TILE, edge, line)
    name = readable(class_name(result.classes, other), 13) if other >= 0 else ""
    known = [f"{mark}{name}"] if name else []
    lines = [*known, *_item_name(result, index, 13, 2 - len(known)), number(distance)]
    text = "\n".join(lines)
    middle, under = place[0] + TILE / 2, place[1] + TILE + 0.04
    ax.text(
        middle,
        under,
        text,
        size=SMALL_POINTS,
        color=colour,
        ha="center",
        va="top",
        linespacing=1.15,
    )


def _picture(
    ax: Axes, pixels: np.ndarray, x: float, y: float, side: float, edge: str, line: float
) -> None:
    from matplotlib.patches import Rectangle

    ax.imshow(pixels, extent=(x, x + side, y + side, y), interpolation="bicubic")
    ax.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=edge, linewidth=line))


def _legend(result: Matches) -> list[str]:
    lines = []
    if (query_labels(result) >= 0).any():
        lines.append(
            "✓ the class of the query, ✗ another class."
            if has_pairs(result)
            else "No two images have the same class, so neighbours are not marked by class."
        )
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
        text += " and, for comparison, by raw pixels"
    return f"{text}. {measures_in_words(result.measures)}".strip()
