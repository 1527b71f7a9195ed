"""The changed windows of a value, one for every position of a chunk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .intervals import Ints


@dataclass(eq=False)
class Windows:
    """The computed windows of one value, for the positions of a chunk.

    Attributes:
        parts: tensors of windows of one size each.
        part, index: where each position's window is, `[P]`.
        y, x: where it lies in the map, `[P]`.
        sizes: height and width of each, `[P, 2]`.
        row: the pixels of all parts as one window of height 1, in the axes of the value; the
            parts are views of it. None where they lie apart.
    """

    parts: list[Tensor]
    part: Ints
    index: Ints
    y: Ints
    x: Ints
    sizes: Ints
    row: Tensor | None = None

    def lay_in_a_row(self, order: Sequence[int]) -> None:
        """Lay all parts in a row; `order` are the axes of the value as N, channels, H, W."""
        pixels = [_pixels(part, order) for part in self.parts]
        self._cut(pixels[0] if len(pixels) == 1 else torch.cat(pixels), order)

    def with_row(self, row: Tensor, order: Sequence[int]) -> Windows:
        """Return windows in these places that a pointwise operator made of this row."""
        made = replace(self, parts=[])
        made._cut(_pixels(row, order), order)
        return made

    def with_parts(self, parts: list[Tensor], inputs: Sequence[Windows]) -> Windows:
        """Return windows in these places, which may have been written over one of the inputs."""
        rows = [
            windows.row
            for windows in inputs
            if windows.row is not None and all(map(_is_same, parts, windows.parts))
        ]
        return replace(self, parts=parts, row=rows[0] if rows else None)

    def _cut(self, pixels: Tensor, order: Sequence[int]) -> None:
        """Make a row of pixels `[n, ...]` and parts of the same memory."""
        back = np.argsort([order[0], *order[-2:], *order[1:-2]]).tolist()
        depth = pixels.shape[1:]
        firsts = [np.flatnonzero(self.part == i) for i in range(self.part.max() + 1)]
        shapes = [(len(group), *self.sizes[group[0]].tolist()) for group in firsts]
        cut = torch.split(pixels, [math.prod(shape) for shape in shapes])
        self.row = pixels[None, None].permute(back)
        self.parts = [
            piece.view(*shape, *depth).permute(back)
            for piece, shape in zip(cut, shapes, strict=True)
        ]


def groups(sizes: Ints) -> list[Ints]:
    """Return the positions of each size of window."""
    keys = sizes[:, 0] * (1 << 32) + sizes[:, 1]
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return list(np.split(order, cuts))


def table(source: Windows, group: Ints, corner: tuple[Ints, Ints]) -> Tensor:
    """Return where the changed windows of these positions lie, and where the wanted ones do."""
    columns = [source.part[group], source.index[group], source.y[group], source.x[group]]
    return torch.from_numpy(np.stack([*columns, *corner], 1))


def place(layout: Windows, group: Ints, part: Tensor) -> None:
    """Note the windows of some positions."""
    layout.part[group] = len(layout.parts)
    layout.index[group] = np.arange(len(group))
    layout.parts.append(part)


def _pixels(part: Tensor, order: Sequence[int]) -> Tensor:
    """Return the pixels of windows, `[n * h * w, ...]`: a view where they lie like that."""
    part = part.permute(order[0], *order[-2:], *order[1:-2])
    return part.reshape(-1, *part.shape[3:])


def _is_same(one: Tensor, other: Tensor) -> bool:
    same = one.shape == other.shape and one.stride() == other.stride()
    return same and one.data_ptr() == other.data_ptr()
