"""Class names on a map of points, at the densest place of each class, without overlaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .output import INK
from .style import PAPER, add_outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME_POINTS = 11
CELLS = 128
"""Cells a side of the grid on which densities are measured."""

BANDWIDTH = 0.03
"""Standard deviation of the smoothing of densities, as a share of the map's longer side."""

FARTHEST = 3.0
"""A name moves at most so many times its height, so that it stays near its points."""

GAP_PIXELS = 3.0
ROUNDS = 400


def densest_places(points: np.ndarray, labels: np.ndarray) -> dict[int, tuple[float, float]]:
    """Return the place of each class at which its points lie closest together.

    Where classes overlap, places at which other classes are denser count less: each density is
    weighted by the class's share of all points there.

    Args:
        points: `[n, 2]`; rows that are not finite are ignored.
        labels: `[n]`; -1 is not a class.

    Returns:
        By label, (x, y): the mean of the class's points around the best cell.
    """
    finite = np.isfinite(points).all(1)
    points, labels = points[finite], labels[finite]
    if not len(points):
        return {}
    low = points.min(0)
    side = float((points.max(0) - low).max()) or 1.0
    cells = np.minimum(((points - low) / side * CELLS).astype(int), CELLS - 1)
    every = _density(cells)
    places = {}
    for label in np.unique(labels[labels >= 0]):
        is_member = labels == label
        density = _density(cells[is_member])
        best = np.unravel_index(np.argmax(density * density / every), density.shape)
        centre = low + (np.array(best) + 0.5) * side / CELLS
        away = np.hypot(*(points[is_member] - centre).T)
        near = points[is_member][away <= max(BANDWIDTH * side, away.min())]
        places[int(label)] = (float(near[:, 0].mean()), float(near[:, 1].mean()))
    return places


def _density(cells: np.ndarray) -> np.ndarray:
    """Return a smoothed count of points at each cell, `[CELLS, CELLS]`, nowhere zero."""
    counts = np.zeros((CELLS, CELLS))
    np.add.at(counts, (cells[:, 0], cells[:, 1]), 1.0)
    steps = np.arange(CELLS)
    kernel = np.exp(-0.5 * ((steps[:, None] - steps) / (BANDWIDTH * CELLS)) ** 2)
    smoothed: np.ndarray = kernel @ counts @ kernel.T
    return smoothed + 1e-12


def spread_apart(
    anchors: np.ndarray, sizes: np.ndarray, bounds: Sequence[float]
) -> np.ndarray | None:
    """Move boxes as little as needed so that none overlaps another, or return None.

    Args:
        anchors: where their centres should be, `[n, 2]`, in pixels.
        sizes: width and height, `[n, 2]`.
        bounds: x0, y0, x1, y1 of the area they must lie in.

    Returns:
        Their centres `[n, 2]`. None if a box would have to move farther than `FARTHEST` heights.
    """
    half = sizes / 2
    low, high = np.array(bounds[:2]) + half, np.array(bounds[2:]) - half
    start = np.clip(anchors, low, np.maximum(high, low))
    centres = start.copy()
    for _ in range(ROUNDS):
        moves = _pushes(centres, sizes)
        if not moves.any():
            away = np.hypot(*(centres - anchors).T)
            return centres if (away <= FARTHEST * sizes[:, 1] + half[:, 1]).all() else None
        centres = np.clip(centres + moves, low, np.maximum(high, low))
    return None


def _pushes(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the moves that part overlapping boxes, each pair along its smaller overlap."""
    moves = np.zeros_like(centres)
    for i in range(len(centres)):
        for j in range(i + 1, len(centres)):
            gap = centres[j] - centres[i]
            overlap = (sizes[i] + sizes[j]) / 2 + GAP_PIXELS - np.abs(gap)
            if (overlap <= 1e-6).any():
                continue
            axis = int(overlap[1] <= overlap[0])
            step = (overlap[axis] / 2 + 0.01) * (1.0 if gap[axis] >= 0 else -1.0)
            moves[i, axis] -= step
            moves[j, axis] += step
    return moves


def name_places(ax: Axes, places: Mapping[int, tuple[float, float]], names: Sequence[str]) -> bool:
    """Write names at their places, in their order; write none and return False if they don't fit.

    Call it when the figure has its panels: where names lie depends on the size of the axes.
    """
    figure: Any = ax.figure
    texts = [_write(ax, name, place) for name, place in zip(names, places.values(), strict=True)]
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    anchors = ax.transData.transform(np.array(list(places.values())).reshape(-1, 2))
    sizes = np.array([(box.width, box.height) for box in boxes]).reshape(-1, 2)
    centres = spread_apart(anchors, sizes, ax.get_window_extent().extents)
    if centres is None:
        for text in texts:
            text.remove()
        return False
    for text, offset in zip(texts, (centres - anchors) * 72 / figure.dpi, strict=True):
        text.set_position(tuple(offset))
    return True


def _write(ax: Axes, name: str, place: tuple[float, float]) -> Any:
    text = ax.annotate(
        name,
        place,
        xytext=(0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        size=NAME_POINTS,
        weight="bold",
        color=INK,
        zorder=5,
    )
    text.set_in_layout(False)  # names lie inside the axes and must not change its size
    return add_outline(text, PAPER, 4)
