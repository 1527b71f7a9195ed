"""Positions of a sliding window, and the aggregation of values per window to values per pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from convviz import ParameterError
from convviz.authoring import Occluded, Occluder

Edge = Literal["partial", "shift", "drop"]
Aggregate = Literal["mean", "sum", "center"]
Interval = tuple[int, int]


@dataclass(frozen=True)
class SlidingWindows:
    """The positions of a window on an image: all pairs of a row and a column interval.

    Attributes:
        rows, columns: half-open intervals of y and of x, in pixels, inside the image.
        height, width: of the image.
    """

    rows: tuple[Interval, ...]
    columns: tuple[Interval, ...]
    height: int
    width: int

    @property
    def boxes(self) -> Tensor:
        """The windows as boxes (x0, y0, x1, y1), int64 `[rows * columns, 4]`, row by row."""
        return torch.tensor([(x0, y0, x1, y1) for y0, y1 in self.rows for x0, x1 in self.columns])

    @property
    def cover_counts(self) -> Tensor:
        """The number of windows that cover each pixel, `[height, width]`."""
        return torch.outer(_counts(self.rows, self.height), _counts(self.columns, self.width))

    @property
    def uncovered_share(self) -> float:
        """The share of the pixels that no window covers."""
        return int((self.cover_counts == 0).sum()) / (self.height * self.width)

    @property
    def arrays(self) -> Mapping[str, Tensor]:
        """The windows as an array of the result."""
        return {"boxes": self.boxes}

    def occlude(self, occluder: Occluder) -> Occluded:
        """Return the scores with each window covered, `[N, rows * columns, …]`."""
        return occluder(self.boxes)

    def arrange(self, scores: Tensor) -> Tensor:
        """Return scores `[N, rows * columns]` as `[N, rows, columns]`."""
        return scores.unflatten(1, (len(self.rows), len(self.columns)))

    def to_pixels(self, grid: Tensor, how: Aggregate) -> Tensor:
        """Return values per pixel, float64 `[..., height, width]`, of `[..., rows, columns]`.

        "sum" and "mean" are over the windows that cover a pixel. "center" is the value of the
        window, among those that cover the pixel, whose centre is nearest; of two equally near ones,
        the earlier. Pixels that no window covers are NaN.
        """
        grid = grid.to(torch.float64)
        if how == "center":
            return self._nearest(grid)
        # The windows are all pairs of a row and a column interval, so the sum over the windows that
        # cover a pixel separates: first over the row intervals, then over the column intervals.
        # Slices are added instead of a product with 0/1 matrices, because 0 · inf is NaN: one
        # infinite value would reach every pixel.
        down = grid.new_zeros(*grid.shape[:-2], self.height, len(self.columns))
        for i, (y0, y1) in enumerate(self.rows):
            down[..., y0:y1, :] += grid[..., i : i + 1, :]
        dense = grid.new_zeros(*grid.shape[:-2], self.height, self.width)
        for i, (x0, x1) in enumerate(self.columns):
            dense[..., x0:x1] += down[..., i : i + 1]
        if how == "mean":
            dense = dense / self.cover_counts
        return dense.masked_fill(self.cover_counts == 0, float("nan"))

    def _nearest(self, grid: Tensor) -> Tensor:
        y, x = (
            _nearest_intervals(self.rows, self.height),
            _nearest_intervals(self.columns, self.width),
        )
        dense = grid[..., y.clamp(min=0)[:, None], x.clamp(min=0)[None, :]]
        return dense.masked_fill((y[:, None] < 0) | (x[None, :] < 0), float("nan"))


def slide(
    size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int], edge: Edge
) -> SlidingWindows:
    """Return the positions of a window on an image; all sizes are (height, width) in pixels.

    A last window that overhangs the border is clipped ("partial"), moved back inside ("shift") or
    left out ("drop").

    Raises:
        ParameterError: the window is larger than the image.
    """
    if window[0] > size[0] or window[1] > size[1]:
        raise ParameterError(
            f"window is {window[0]} x {window[1]} pixels (height x width), larger than the "
            f"model's input of {size[0]} x {size[1]}; use about a quarter of it, "
            f"window={max(1, min(size) // 4)}"
        )
    rows, columns = (
        _intervals(length, w, s, edge) for length, w, s in zip(size, window, stride, strict=True)
    )
    return SlidingWindows(rows, columns, *size)


def _intervals(length: int, window: int, stride: int, edge: Edge) -> tuple[Interval, ...]:
    inside = range(0, length - window + 1, stride)
    if edge == "drop":
        return tuple((start, start + window) for start in inside)
    starts = list(inside)
    following = starts[-1] + stride
    if starts[-1] + window < length and following < length:
        starts.append(following if edge == "partial" else length - window)
    return tuple((start, min(start + window, length)) for start in starts)


def _counts(intervals: Sequence[Interval], length: int) -> Tensor:
    counts = torch.zeros(length, dtype=torch.float64)
    for start, stop in intervals:
        counts[start:stop] += 1
    return counts


def _nearest_intervals(intervals: Sequence[Interval], length: int) -> Tensor:
    """Return the covering interval with the nearest centre for each pixel; -1 if there is none."""
    at = torch.arange(length)
    # Twice the distance between the centres of pixel and interval, which is an integer, so that
    # ties are exact. 4 * length exceeds every such distance and marks intervals that do not cover.
    distances = torch.stack(
        [
            torch.where((at >= a) & (at < b), (2 * at + 1 - (a + b)).abs(), 4 * length)
            for a, b in intervals
        ]
    )
    nearest = distances.argmin(0)
    return torch.where(distances.amin(0) < 4 * length, nearest, -1)
