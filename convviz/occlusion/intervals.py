"""Where the changed windows of a map lie, and in which sizes they are computed.

A batch wants windows of one size. Occluders near a border, or at another phase of a stride,
reach windows of other sizes; so the sizes of an axis are sorted into a few classes, each
computed at its largest size. A window made larger holds clean values besides: it stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..locality.axis_maps import AxisMap, Window

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Extent:
    """Half-open intervals along one axis, one for each of R occluder intervals.

    Attributes:
        start, stop: `[R]`; empty where start >= stop.
        length: positions of the axis.
    """

    start: Ints
    stop: Ints
    length: int

    @property
    def size(self) -> Ints:
        """Number of positions in each interval, `[R]`."""
        size: Ints = np.maximum(self.stop - self.start, 0)
        return size

    def through(self, axis: AxisMap) -> Extent:
        """Return the outputs of an operator that the intervals reach, clipped."""
        pairs = [axis.forward(int(a), int(b)) for a, b in zip(self.start, self.stop, strict=True)]
        reached = np.array(pairs, np.int64).reshape(-1, 2)
        return Extent(reached[:, 0], reached[:, 1], axis.size_out)

    def same_as(self, other: Extent) -> bool:
        """Say whether both hold the same intervals."""
        return np.array_equal(self.start, other.start) and np.array_equal(self.stop, other.stop)

    def holds(self, other: Extent) -> bool:
        """Say whether each interval holds that of the other extent."""
        inside = (self.start <= other.start) & (other.stop <= self.stop)
        return bool((inside | (other.size == 0)).all())

    def widened(self, size: Ints) -> Extent:
        """Return intervals of at least these sizes that hold the present ones, inside the axis."""
        size = np.minimum(np.maximum(size, 1), self.length)
        start = np.clip(self.start, 0, self.length - size)
        return Extent(start, start + size, self.length)

    def cut(self, share: float) -> Extent:
        """Return the middle of each interval, of at most this share of the axis."""
        size = np.minimum(self.size, max(1, int(np.ceil(share * self.length - 1e-9))))
        start = self.start + (self.size - size) // 2
        return Extent(start, start + size, self.length)


def with_halo(axis: AxisMap, length: int) -> int:
    """Return how many inputs an operator that slides reads for so many outputs in a row."""
    assert isinstance(axis, Window)  # what slides in windows has such maps
    return (length - 1) * axis.stride + axis.reach + 1


def hull(extents: list[Extent]) -> Extent:
    """Return the smallest intervals that hold those of all extents."""
    far = np.iinfo(np.int64).max // 4
    starts = [np.where(e.size > 0, e.start, far) for e in extents]
    stops = [np.where(e.size > 0, e.stop, -far) for e in extents]
    start, stop = np.minimum.reduce(starts), np.maximum.reduce(stops)
    empty = start >= stop
    return Extent(np.where(empty, 0, start), np.where(empty, 0, stop), extents[0].length)


def classes(size: Ints, weight: Ints, most: int) -> list[tuple[float, Ints]]:
    """Sort sizes into 1, 2, … `most` classes with the least growth.

    Args:
        size: `[R]`.
        weight: how many positions have each, `[R]`.
        most: the largest number of classes wanted.

    Returns:
        One (sum of weighted sizes, class size of each `[R]`) a number of classes.
    """
    values, inverse = np.unique(np.maximum(size, 1), return_inverse=True)
    weights = np.bincount(inverse, weights=weight).astype(float)
    total = np.concatenate([[0.0], np.cumsum(weights)])
    n = len(values)
    # best[j]: least sum for the j smallest values; a class of values i..j-1 costs its largest.
    best = [np.array([0.0] + [values[j - 1] * total[j] for j in range(1, n + 1)])]
    cuts: list[list[int]] = [[0] * (n + 1)]
    for _ in range(1, min(most, n)):
        row, cut = np.full(n + 1, np.inf), [0] * (n + 1)
        row[0] = 0.0
        for j in range(1, n + 1):
            costs = best[-1][:j] + values[j - 1] * (total[j] - total[:j])
            cut[j] = int(costs.argmin())
            row[j] = costs[cut[j]]
        best.append(row)
        cuts.append(cut)
    return [(float(best[k][n]), _assign(values, cuts, k)[inverse]) for k in range(len(best))]


def _assign(values: Ints, cuts: list[list[int]], k: int) -> Ints:
    """Follow the cuts of the k+1 classes back: the class size of each distinct value."""
    out = values.copy()
    end = len(values)
    while end > 0:
        begin = cuts[k][end] if k else 0
        out[begin:end] = values[end - 1]
        end, k = begin, k - 1
    return out


def executed(
    rows: Extent, columns: Extent, counts: tuple[Ints, Ints], pixel: float, call: float, most: int
) -> tuple[Extent, Extent]:
    """Choose the sizes windows are computed in: little growth against few calls.

    Args:
        rows, columns: the intervals that really change.
        counts: how many positions have each row and each column interval.
        pixel: cost of one pixel of one window.
        call: cost of one call, in the same measure.
        most: the largest number of classes an axis.
    """
    positions = float(counts[0].sum())
    best: tuple[float, Ints, Ints] | None = None
    for i, (high, ys) in enumerate(classes(rows.size, counts[0], most)):
        for j, (wide, xs) in enumerate(classes(columns.size, counts[1], most)):
            cost = pixel * high * wide / positions + call * (i + 1) * (j + 1)
            if best is None or cost < best[0]:
                best = (cost, ys, xs)
    assert best is not None
    return rows.widened(best[1]), columns.widened(best[2])
