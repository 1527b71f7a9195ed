"""What the positions of a map see further back, as intervals and as sets of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from .axis_maps import FAR, AxisMap, Ints, pull

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1: half-open."""


class _Seen(Protocol):
    def pull(self, y: AxisMap, x: AxisMap) -> Self:
        """Go back through an operator."""

    def join(self, other: Self) -> Self:
        """See what either sees."""


Seen = TypeVar("Seen", bound=_Seen)


@dataclass(frozen=True, eq=False)
class Spans:
    """Intervals of rows and of columns, unclipped, one for each position of a map.

    Attributes:
        rows: how many of the intervals are of rows; those of columns follow.
        start: first positions seen, `[rows + columns]`.
        stop: ends.
    """

    rows: int
    start: Ints
    stop: Ints

    @classmethod
    def units(cls, rows: int, columns: int) -> Spans:
        """Return the intervals of single positions."""
        positions = np.concatenate([np.arange(rows), np.arange(columns)]).astype(np.int64)
        return cls(rows, positions, positions + 1)

    def pull(self, y: AxisMap, x: AxisMap) -> Spans:
        """Go back through an operator."""
        if y == x:
            return Spans(self.rows, *pull(y, self.start, self.stop))
        n = self.rows
        top, bottom = pull(y, self.start[:n], self.stop[:n])
        left, right = pull(x, self.start[n:], self.stop[n:])
        return Spans(n, np.concatenate([top, left]), np.concatenate([bottom, right]))

    def join(self, other: Spans) -> Spans:
        """Return the smallest intervals that hold both."""
        start = np.minimum(self.start, other.start)
        return Spans(self.rows, start, np.maximum(self.stop, other.stop))

    def box(self, y: int, x: int) -> Box:
        """Return the box of one position, all zeros where it sees nothing."""
        at = [self.rows + x, y]
        (x0, y0), (x1, y1) = self.start[at].tolist(), self.stop[at].tolist()
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Pixels:
    """The real rows and columns that each position of a map sees, without the gaps between.

    Attributes:
        y: `[rows, height]`, whether a row of the map sees a row further back.
        x: `[columns, width]`.
    """

    y: NDArray[np.bool_]
    x: NDArray[np.bool_]

    @classmethod
    def units(cls, rows: int, columns: int) -> Pixels:
        """Return what single positions are."""
        return cls(np.eye(rows, dtype=np.bool_), np.eye(columns, dtype=np.bool_))

    def pull(self, y: AxisMap, x: AxisMap) -> Pixels:
        """Go back through an operator."""
        return Pixels(_through(self.y, y), _through(self.x, x))

    def join(self, other: Pixels) -> Pixels:
        """Return what either sees."""
        return Pixels(self.y | other.y, self.x | other.x)

    def hulls(self) -> Spans:
        """Return the smallest intervals around it."""
        (top, bottom), (left, right) = _hull(self.y), _hull(self.x)
        return Spans(len(top), np.concatenate([top, left]), np.concatenate([bottom, right]))


def _through(seen: NDArray[np.bool_], axis: AxisMap) -> NDArray[np.bool_]:
    if axis.identity:
        return seen
    # in float32, because numpy multiplies matrices of integers and truth values slowly
    found: NDArray[np.bool_] = seen.astype(np.float32) @ axis.taps().astype(np.float32) > 0
    return found


def _hull(seen: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    some, size = seen.any(axis=1), seen.shape[1]
    first, last = seen.argmax(axis=1), size - seen[:, ::-1].argmax(axis=1)
    return np.where(some, first, FAR), np.where(some, last, -FAR)
