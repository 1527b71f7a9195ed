"""Points in the plane -> cells of a grid, so that small pictures do not cover one another."""

from __future__ import annotations

import math

import numpy as np

ASSIGNED_UP_TO = 3000
"""Beyond this many points the exact assignment takes too long, and points snap to cells."""

SNAP_SIDE = 50


def to_cells(points: np.ndarray) -> np.ndarray:
    """Give points `[n, 2]` a cell of a grid each, (row, column), int64 `[n, 2]`.

    Up to ASSIGNED_UP_TO points the sum of squared distances is the least possible
    (`scipy.optimize.linear_sum_assignment`) and every point gets a cell of its own. Beyond,
    each cell shows the point nearest to its centre, and the others get (-1, -1).
    """
    unit = _unit(points)
    return _assigned(unit) if len(points) <= ASSIGNED_UP_TO else _snapped(unit)


def _unit(points: np.ndarray) -> np.ndarray:
    """Scale to the unit square, x to the right and y down."""
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    unit = (points - low) / np.where(span > 0, span, 1)
    unit[:, span == 0] = 0.5
    unit[:, 1] = 1 - unit[:, 1]
    return np.asarray(unit)


def _assigned(unit: np.ndarray) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    n = len(unit)
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    r, c = np.divmod(np.arange(rows * columns), columns)
    centres = np.stack([(c + 0.5) / columns, (r + 0.5) / rows], axis=1)
    cost = ((unit[:, None] - centres[None]) ** 2).sum(axis=2)
    _, chosen = linear_sum_assignment(cost)
    return np.stack([r[chosen], c[chosen]], axis=1).astype(np.int64)


def _snapped(unit: np.ndarray) -> np.ndarray:
    places = np.minimum((unit * SNAP_SIDE).astype(np.int64), SNAP_SIDE - 1)
    off = ((unit * SNAP_SIDE - places - 0.5) ** 2).sum(axis=1)
    cell = places[:, 1] * SNAP_SIDE + places[:, 0]
    # First by cell, then by distance from its centre; ties keep the order of the items.
    order = np.lexsort((off, cell))
    first = np.ones(len(order), dtype=bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    winners = order[first]
    cells = np.full((len(unit), 2), -1, dtype=np.int64)
    cells[winners] = places[winners][:, ::-1]
    return cells
