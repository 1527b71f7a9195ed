"""The rectangles of a grid over an image."""

from __future__ import annotations

import torch
from torch import Tensor


def rectangles_by_area(grid: int) -> dict[int, Tensor]:
    """Return all rectangles of a grid, in ascending order of their area.

    Args:
        grid: cells along each side.

    Returns:
        Area in cells -> rectangles in cells, int64 `[P, 4]`, x0, y0, x1, y1, half-open.
    """
    spans = [(a, b) for a in range(grid) for b in range(a + 1, grid + 1)]
    by_area: dict[int, list[tuple[int, int, int, int]]] = {}
    for y0, y1 in spans:
        for x0, x1 in spans:
            by_area.setdefault((y1 - y0) * (x1 - x0), []).append((x0, y0, x1, y1))
    return {area: torch.tensor(by_area[area]) for area in sorted(by_area)}


def to_pixels(rectangles: Tensor, grid: int, size: tuple[int, int]) -> Tensor:
    """Return rectangles in pixels, int64 `[P, 4]`.

    Args:
        rectangles: in cells, `[P, 4]`.
        grid: cells along each side; at most the shorter side of the image.
        size: height and width of the image. Where the grid does not divide them, cells differ by a
            pixel.
    """
    height, width = size
    x, y = (torch.tensor([round(i * n / grid) for i in range(grid + 1)]) for n in (width, height))
    x0, y0, x1, y1 = rectangles.unbind(1)
    return torch.stack([x[x0], y[y0], x[x1], y[y1]], 1)


def cover_counts(rectangles: Tensor, grid: int) -> Tensor:
    """Return the number of rectangles that cover each cell, float32 `[grid, grid]`."""
    counts = torch.zeros(grid, grid)
    for x0, y0, x1, y1 in rectangles.tolist():
        counts[y0:y1, x0:x1] += 1
    return counts


def touch_border(rectangles: Tensor, grid: int) -> Tensor:
    """Return which rectangles touch the border of the image, bool `[P]`."""
    return (rectangles[:, :2] == 0).any(1) | (rectangles[:, 2:] == grid).any(1)
