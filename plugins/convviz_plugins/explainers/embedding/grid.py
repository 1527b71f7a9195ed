"""Assignment of points in the plane to grid cells, so that thumbnails do not overlap."""

from __future__ import annotations

import math

import numpy as np

ASSIGNED_UP_TO = 3000
"""Maximum number of points that are assigned exactly, in O(n³) time; more points snap to cells."""

SNAP_SIDE = 50
"""Rows and columns of the grid to which points snap."""


def grid_cells(points: np.ndarray) -> np.ndarray:
    """Return the grid cell (row, column) of each of the points `[n, 2]`, int64 `[n, 2]`.

    Up to ASSIGNED_UP_TO points, every point gets a cell of its own, such that the sum of squared
    distances between points and cell centres is minimal (`scipy.optimize.linear_sum_assignment`).
    For more points, each cell has the point nearest to its centre, and the other points get
    (-1, -1).
    """
    unit = _unit(points)
    return _assign_cells(unit) if len(points) <= ASSIGNED_UP_TO else _snap_to_cells(unit)


def _unit(points: np.ndarray) -> np.ndarray:
    """Return the points scaled to the unit square, with x to the right and y down."""
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    unit = (points - low) / np.where(span > 0, span, 1)
    unit[:, span == 0] = 0.5
    unit[:, 1] = 1 - unit[:, 1]
    return np.asarray(unit)


def _assign_cells(unit: np.ndarray) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    # The squarest grid with at least n cells. The cost matrix has a row per point and a column per
    # cell; cells that no point takes stay empty.
    n = len(unit)
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cell_rows, cell_columns = np.divmod(np.arange(rows * columns), columns)
    centres = np.stack([(cell_columns + 0.5) / columns, (cell_rows + 0.5) / rows], axis=1)
    cost = ((unit[:, None] - centres[None]) ** 2).sum(axis=2)
    _, chosen = linear_sum_assignment(cost)
    return np.stack([cell_rows[chosen], cell_columns[chosen]], axis=1).astype(np.int64)


def _snap_to_cells(unit: np.ndarray) -> np.ndarray:
    nearest_cells = np.minimum((unit * SNAP_SIDE).astype(np.int64), SNAP_SIDE - 1)
    distances = ((unit * SNAP_SIDE - nearest_cells - 0.5) ** 2).sum(axis=1)
    cell = nearest_cells[:, 1] * SNAP_SIDE + nearest_cells[:, 0]
    # Sorted by cell, then by distance from its centre; lexsort is stable, so ties keep the order of
    # the items. The first point of each run of equal cells is the nearest one.
    order = np.lexsort((distances, cell))
    first = np.ones(len(order), dtype=bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    winners = order[first]
    cells = np.full((len(unit), 2), -1, dtype=np.int64)
    cells[winners] = nearest_cells[winners][:, ::-1]
    return cells
