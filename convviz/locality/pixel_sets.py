"""Pixels that each position of a map sees, as intervals and as boolean masks.

Intervals are unclipped and give the nominal receptive field. Masks contain real pixels alone, with
the gaps of strides and dilations, and give the pixels that can change a unit. Both are carried
backwards through a graph by `pull`, and joined where paths meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .axis_maps import FAR, AxisMap, Ints, pull

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1: half-open."""


class _PixelSet(Protocol):
    def pull(self, y: AxisMap, x: AxisMap) -> Self:
        """Return the pixels of an operator's input that its present output pixels read."""

    def join(self, other: Self) -> Self:
        """Return the union."""


PixelSet = TypeVar("PixelSet", bound=_PixelSet)


@dataclass(frozen=True, eq=False)
class PixelIntervals:
    """Intervals of rows and of columns, unclipped, one for each position of a map.

    Attributes:
        rows: number of row intervals; the column intervals follow behind them.
        start: first pixels seen, `[rows + columns]`.
        stop: ends.
    """

    rows: int
    start: Ints
    stop: Ints

    @classmethod
    def units(cls, rows: int, columns: int) -> PixelIntervals:
        """Return intervals in which every position sees itself."""
        positions = np.concatenate([np.arange(rows), np.arange(columns)]).astype(np.int64)
        return cls(rows, positions, positions + 1)

    def pull(self, y: AxisMap, x: AxisMap) -> PixelIntervals:
        """Return the intervals of an operator's input that its output intervals read."""
        if y == x:  # the usual case, in one call
            return PixelIntervals(self.rows, *pull(y, self.start, self.stop))
        n = self.rows
        y0, y1 = pull(y, self.start[:n], self.stop[:n])
        x0, x1 = pull(x, self.start[n:], self.stop[n:])
        return PixelIntervals(n, np.concatenate([y0, x0]), np.concatenate([y1, x1]))

    def join(self, other: PixelIntervals) -> PixelIntervals:
        """Return the smallest intervals that contain both."""
        start = np.minimum(self.start, other.start)
        return PixelIntervals(self.rows, start, np.maximum(self.stop, other.stop))

    def box(self, y: int, x: int) -> Box:
        """Return the box of one position; all zeros if it sees nothing."""
        at = [self.rows + x, y]
        (x0, y0), (x1, y1) = self.start[at].tolist(), self.stop[at].tolist()
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class PixelMasks:
    """Masks of the rows and columns that each position of a map sees, one for each axis.

    Attributes:
        y: `[rows, height]`, whether a row of the map sees a row of pixels.
        x: `[columns, width]`, the same for columns.
    """

    y: NDArray[np.bool_]
    x: NDArray[np.bool_]

    @classmethod
    def units(cls, rows: int, columns: int) -> PixelMasks:
        """Return masks in which every position sees itself."""
        return cls(np.eye(rows, dtype=np.bool_), np.eye(columns, dtype=np.bool_))

    def pull(self, y: AxisMap, x: AxisMap) -> PixelMasks:
        """Return the masks of an operator's input that its output pixels read."""
        return PixelMasks(_pull_mask(self.y, y), _pull_mask(self.x, x))

    def join(self, other: PixelMasks) -> PixelMasks:
        """Return the union."""
        return PixelMasks(self.y | other.y, self.x | other.x)

    def hulls(self) -> PixelIntervals:
        """Return the smallest intervals that contain the masks."""
        (y0, y1), (x0, x1) = _hull(self.y), _hull(self.x)
        return PixelIntervals(len(y0), np.concatenate([y0, x0]), np.concatenate([y1, x1]))


def _pull_mask(mask: NDArray[np.bool_], axis: AxisMap) -> NDArray[np.bool_]:
    if axis.identity:
        return mask
    # In float32, because numpy multiplies matrices of integers and booleans slowly.
    pulled: NDArray[np.bool_] = mask.astype(np.float32) @ axis.taps().astype(np.float32) > 0
    return pulled


def _hull(mask: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    nonempty, size = mask.any(axis=1), mask.shape[1]
    first, last = mask.argmax(axis=1), size - mask[:, ::-1].argmax(axis=1)
    return np.where(nonempty, first, FAR), np.where(nonempty, last, -FAR)
