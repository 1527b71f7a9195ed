"""The changed windows of one value, for all positions of a chunk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .intervals import Ints


@dataclass(eq=False)
class WindowBatch:
    """The computed windows of one value, one for each position of a chunk.

    Windows of one size form a part, a tensor `[n, C, h, w]`. Position p has its window at
    `parts[part[p]][index[p]]`; the top left corner of the window is at (y[p], x[p]) of the map.

    Attributes:
        parts: tensors of windows of one size each.
        part, index: the part that contains each position's window, and its index there, `[P]`.
        y, x: top left corner of each window in the map, `[P]`.
        sizes: height and width of each window, `[P, 2]`.
        pixel_row: the pixels of all parts as a single map of height 1, in the axes of the value.
            The parts are then views of it. None where the parts are separate tensors.
    """

    parts: list[Tensor]
    part: Ints
    index: Ints
    y: Ints
    x: Ints
    sizes: Ints
    pixel_row: Tensor | None = None

    def join_pixels(self, order: Sequence[int]) -> None:
        """Copy all parts into one pixel row, so that one call computes all windows.

        Args:
            order: the axes of the value that are N, channels, H, W.
        """
        pixels = [_pixels(part, order) for part in self.parts]
        self._set_pixel_row(pixels[0] if len(pixels) == 1 else torch.cat(pixels), order)

    def with_pixel_row(self, pixel_row: Tensor, order: Sequence[int]) -> WindowBatch:
        """Return windows at the same places, from the result of an operator on a pixel row."""
        batch = replace(self, parts=[])
        batch._set_pixel_row(_pixels(pixel_row, order), order)
        return batch

    def with_parts(self, parts: list[Tensor], inputs: Sequence[WindowBatch]) -> WindowBatch:
        """Return windows at the same places with other values.

        The operator may have written its result over one of the inputs. That input's pixel row
        then contains the result and stays valid.
        """
        rows = [
            windows.pixel_row
            for windows in inputs
            if windows.pixel_row is not None and all(map(_shares_memory, parts, windows.parts))
        ]
        return replace(self, parts=parts, pixel_row=rows[0] if rows else None)

    def add_part(self, group: Ints, part: Tensor) -> None:
        """Add the windows of some positions, in the order of `group`."""
        self.part[group] = len(self.parts)
        self.index[group] = np.arange(len(group))
        self.parts.append(part)

    def lookup_table(self, group: Ints, corner: tuple[Ints, Ints]) -> Tensor:
        """Return the table that `gather_windows` reads, int64 `[len(group), 6]`.

        Each row names a position's changed window (part, index, y, x) and the top left corner
        (y, x) of the window that the next operator reads.
        """
        columns = [self.part[group], self.index[group], self.y[group], self.x[group]]
        return torch.from_numpy(np.stack([*columns, *corner], 1))

    def _set_pixel_row(self, pixels: Tensor, order: Sequence[int]) -> None:
        """Set the pixel row to `pixels` `[n, ...]`, and the parts to views of it.

        The pixels must be in the order of the parts, and within a part in the order of its
        windows, row by row.
        """
        back = np.argsort([order[0], *order[-2:], *order[1:-2]]).tolist()
        depth = pixels.shape[1:]
        groups = [np.flatnonzero(self.part == i) for i in range(self.part.max() + 1)]
        shapes = [(len(group), *self.sizes[group[0]].tolist()) for group in groups]
        pieces = torch.split(pixels, [math.prod(shape) for shape in shapes])
        self.pixel_row = pixels[None, None].permute(back)
        self.parts = [
            piece.view(*shape, *depth).permute(back)
            for piece, shape in zip(pieces, shapes, strict=True)
        ]


def group_by_size(sizes: Ints) -> list[Ints]:
    """Return the indices of the windows of each size; `sizes` is `[P, 2]`."""
    keys = sizes[:, 0] * (1 << 32) + sizes[:, 1]
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return list(np.split(order, cuts))


def _pixels(part: Tensor, order: Sequence[int]) -> Tensor:
    """Return the pixels of windows as `[n * h * w, ...]`; a view where the strides allow it."""
    part = part.permute(order[0], *order[-2:], *order[1:-2])
    return part.reshape(-1, *part.shape[3:])


def _shares_memory(first: Tensor, second: Tensor) -> bool:
    """Return whether two tensors are the same view of the same memory."""
    same = first.shape == second.shape and first.stride() == second.stride()
    return same and first.data_ptr() == second.data_ptr()
