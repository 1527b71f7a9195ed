"""The changed windows of one value, for all positions of a chunk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .chunk_plan import WindowPlaces


@dataclass(eq=False)
class WindowBatch:
    """The computed windows of one value, one for each position of a chunk.

    Attributes:
        places: the part that contains each position's window, and the window's place in the map.
        parts: tensors of windows of one size each, `[n, C, h, w]`.
        pixel_row: the pixels of all parts as a single map of height 1, in the axes of the value.
            The parts are then views of it. None where the parts are separate tensors.
    """

    places: WindowPlaces
    parts: list[Tensor]
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

    def _set_pixel_row(self, pixels: Tensor, order: Sequence[int]) -> None:
        """Set the pixel row to `pixels` `[n, ...]`, and the parts to views of it.

        The pixels must be in the order of the parts, and within a part in the order of its
        windows, row by row.
        """
        back = np.argsort([order[0], *order[-2:], *order[1:-2]]).tolist()
        depth = pixels.shape[1:]
        groups = self.places.groups
        shapes = [(len(group), *self.places.size_of(i)) for i, group in enumerate(groups)]
        pieces = torch.split(pixels, [math.prod(shape) for shape in shapes])
        self.pixel_row = pixels[None, None].permute(back)
        self.parts = [
            piece.view(*shape, *depth).permute(back)
            for piece, shape in zip(pieces, shapes, strict=True)
        ]


def _pixels(part: Tensor, order: Sequence[int]) -> Tensor:
    """Return the pixels of windows as `[n * h * w, ...]`; a view where the strides allow it."""
    part = part.permute(order[0], *order[-2:], *order[1:-2])
    return part.reshape(-1, *part.shape[3:])


def _shares_memory(first: Tensor, second: Tensor) -> bool:
    """Return whether two tensors are the same view of the same memory."""
    same = first.shape == second.shape and first.stride() == second.stride()
    return same and first.data_ptr() == second.data_ptr()
