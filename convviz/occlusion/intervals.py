"""Intervals of changed positions along one axis, and the window sizes they are computed in.

An operator runs on a batch of windows of one size. The windows of a map differ in size, because
boxes near the border or at another phase of a stride reach fewer or more positions. The sizes
along each axis are therefore sorted into a few classes, and every window is computed at the
largest size of its class. A window that is larger than necessary contains clean values too, so
its result is still exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..locality.axis_maps import AxisMap, WindowMap

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Intervals:
    """Half-open intervals along one axis of a map, one for each of R box intervals.

    Boxes that share their rows (or columns) share an interval, so a grid of positions needs one
    interval for each row and one for each column of the grid.

    Attributes:
        start, stop: `[R]`; an interval with start >= stop is empty.
        length: number of positions of the axis.
    """

    start: Ints
    stop: Ints
    length: int

    @property
    def size(self) -> Ints:
        """Number of positions in each interval, `[R]`."""
        size: Ints = np.maximum(self.stop - self.start, 0)
        return size

    def propagate(self, axis: AxisMap) -> Intervals:
        """Return the outputs of an operator that read any position of the intervals, clipped."""
        pairs = [axis.forward(int(a), int(b)) for a, b in zip(self.start, self.stop, strict=True)]
        bounds = np.array(pairs, np.int64).reshape(-1, 2)
        return Intervals(bounds[:, 0], bounds[:, 1], axis.size_out)

    def equals(self, other: Intervals) -> bool:
        """Return whether both contain the same intervals."""
        return np.array_equal(self.start, other.start) and np.array_equal(self.stop, other.stop)

    def contains(self, other: Intervals) -> bool:
        """Return whether each interval contains the other's interval at the same index."""
        inside = (self.start <= other.start) & (other.stop <= self.stop)
        return bool((inside | (other.size == 0)).all())

    def expand_to(self, size: Ints) -> Intervals:
        """Return intervals of at least these sizes that contain the present ones.

        They stay inside the axis: an interval that would overhang its end is moved back.
        """
        size = np.minimum(np.maximum(size, 1), self.length)
        start = np.clip(self.start, 0, self.length - size)
        return Intervals(start, start + size, self.length)

    def central(self, share: float) -> Intervals:
        """Return the middle of each interval, at most this share of the axis long."""
        # The small term keeps a product such as 0.07 * 100 = 7.000000000000001 from becoming 8.
        size = np.minimum(self.size, max(1, int(np.ceil(share * self.length - 1e-9))))
        start = self.start + (self.size - size) // 2
        return Intervals(start, start + size, self.length)


def input_length(axis: AxisMap, length: int) -> int:
    """Return how many consecutive inputs a sliding operator reads for `length` outputs."""
    assert isinstance(axis, WindowMap)  # the planner runs no other sliding operator in windows
    return (length - 1) * axis.stride + axis.reach + 1


def hull(groups: list[Intervals]) -> Intervals:
    """Return, index by index, the smallest intervals that contain those of all groups."""
    far = np.iinfo(np.int64).max // 4  # beyond every position: ignored by minimum and maximum
    starts = [np.where(g.size > 0, g.start, far) for g in groups]
    stops = [np.where(g.size > 0, g.stop, -far) for g in groups]
    start, stop = np.minimum.reduce(starts), np.maximum.reduce(stops)
    empty = start >= stop
    return Intervals(np.where(empty, 0, start), np.where(empty, 0, stop), groups[0].length)


def size_classes(size: Ints, weight: Ints, most: int) -> list[tuple[float, Ints]]:
    """Sort sizes into 1, 2, … `most` classes so that rounding up adds as little as possible.

    This is an optimal one-dimensional partition by dynamic programming. With sizes 3, 4, 9 of
    weight 1 each, one class computes 9 + 9 + 9 = 27, two classes {3, 4} and {9} compute
    4 + 4 + 9 = 17, three classes 3 + 4 + 9 = 16.

    Args:
        size: `[R]`.
        weight: how many positions have each, `[R]`.
        most: the largest number of classes.

    Returns:
        For each number of classes: the weighted sum of the class sizes, and the class size of
        each interval, `[R]`.
    """
    values, inverse = np.unique(np.maximum(size, 1), return_inverse=True)
    weights = np.bincount(inverse, weights=weight).astype(float)
    total = np.concatenate([[0.0], np.cumsum(weights)])
    n = len(values)
    # best[k][j]: least sum for the j smallest values in at most k + 1 classes. The last class
    # holds values[i:j] and costs its largest value times its weight.
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
    return [(float(best[k][n]), _class_sizes(values, cuts, k)[inverse]) for k in range(len(best))]


def _class_sizes(values: Ints, cuts: list[list[int]], k: int) -> Ints:
    """Return the class size of each distinct value, by following the cuts of k + 1 classes back."""
    out = values.copy()
    end = len(values)
    while end > 0:
        begin = cuts[k][end] if k else 0
        out[begin:end] = values[end - 1]
        end, k = begin, k - 1
    return out


def choose_window_sizes(
    changed_y: Intervals,
    changed_x: Intervals,
    counts: tuple[Ints, Ints],
    pixel_cost: float,
    call_cost: float,
    most: int,
) -> tuple[Intervals, Intervals]:
    """Choose the intervals that windows are computed in.

    More classes of sizes mean fewer unnecessary pixels, but also more calls of the operator: one
    for each combination of a height and a width. The cheapest combination is returned.

    Args:
        changed_y, changed_x: the intervals that change.
        counts: how many positions have each row interval and each column interval.
        pixel_cost: cost of one pixel of one window.
        call_cost: cost of one call, in the same unit.
        most: the largest number of classes for one axis.

    Returns:
        The intervals that are computed, along y and along x.
    """
    positions = float(counts[0].sum())
    best: tuple[float, Ints, Ints] | None = None
    for i, (height_sum, heights) in enumerate(size_classes(changed_y.size, counts[0], most)):
        for j, (width_sum, widths) in enumerate(size_classes(changed_x.size, counts[1], most)):
            # The number of pixels is exact for a full grid of positions, else an estimate.
            cost = pixel_cost * height_sum * width_sum / positions + call_cost * (i + 1) * (j + 1)
            if best is None or cost < best[0]:
                best = (cost, heights, widths)
    assert best is not None
    return changed_y.expand_to(best[1]), changed_x.expand_to(best[2])
