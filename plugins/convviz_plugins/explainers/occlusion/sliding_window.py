"""Where a sliding window lies, and how one value a window becomes one value a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from convviz import ParameterError

Edge = Literal["partial", "shift", "drop"]
Aggregate = Literal["mean", "sum", "center"]
Interval = tuple[int, int]


@dataclass(frozen=True)
class Windows:
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
        """The boxes, int64 `[rows * columns, 4]`: x0, y0, x1, y1, row by row."""
        return torch.tensor([(x0, y0, x1, y1) for y0, y1 in self.rows for x0, x1 in self.columns])

    @property
    def covered(self) -> Tensor:
        """How many windows cover each pixel, `[height, width]`."""
        return torch.outer(_counts(self.rows, self.height), _counts(self.columns, self.width))

    def spread(self, grid: Tensor, how: Aggregate) -> Tensor:
        """Bring values `[..., rows, columns]` to the pixels, float64 `[..., height, width]`.

        "sum" and "mean" are over the windows that cover a pixel; "center" takes the window
        whose middle is nearest, of those that cover it (the earlier one of two). A pixel that
        no window covers is NaN.
        """
        grid = grid.to(torch.float64)
        if how == "center":
            return self._nearest(grid)
        # Slices and not a matrix product, in which one infinite value would reach every pixel.
        down = grid.new_zeros(*grid.shape[:-2], self.height, len(self.columns))
        for i, (y0, y1) in enumerate(self.rows):
            down[..., y0:y1, :] += grid[..., i : i + 1, :]
        dense = grid.new_zeros(*grid.shape[:-2], self.height, self.width)
        for i, (x0, x1) in enumerate(self.columns):
            dense[..., x0:x1] += down[..., i : i + 1]
        if how == "mean":
            dense = dense / self.covered
        return dense.masked_fill(self.covered == 0, float("nan"))

    def _nearest(self, grid: Tensor) -> Tensor:
        y, x = _owners(self.rows, self.height), _owners(self.columns, self.width)
        dense = grid[..., y.clamp(min=0)[:, None], x.clamp(min=0)[None, :]]
        return dense.masked_fill((y[:, None] < 0) | (x[None, :] < 0), float("nan"))


def slide(
    size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int], edge: Edge
) -> Windows:
    """Slide a window over an image of this size; all are (height, width) in pixels.

    "partial" lets the last window of a row overhang and cuts it off at the border, "shift"
    moves it back inside, "drop" leaves it out.

    Raises:
        ParameterError: where the window is larger than the image.
    """
    if window[0] > size[0] or window[1] > size[1]:
        raise ParameterError(
            f"window is {window[0]} x {window[1]} pixels (height x width), larger than the "
            f"model's input of {size[0]} x {size[1]}; take one of about a quarter of it, "
            f"window={max(1, min(size) // 4)}"
        )
    rows, columns = (
        _intervals(length, w, s, edge) for length, w, s in zip(size, window, stride, strict=True)
    )
    return Windows(rows, columns, *size)


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


def _owners(intervals: Sequence[Interval], length: int) -> Tensor:
    """Return for each pixel the covering interval whose middle is nearest, or -1."""
    at = torch.arange(length)
    # Twice the distance from a pixel's middle to a window's, so that all stays integer.
    far = torch.stack(
        [
            torch.where((at >= a) & (at < b), (2 * at + 1 - (a + b)).abs(), 4 * length)
            for a, b in intervals
        ]
    )
    nearest = far.argmin(0)
    return torch.where(far.amin(0) < 4 * length, nearest, -1)
