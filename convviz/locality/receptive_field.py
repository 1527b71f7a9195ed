"""Receptive fields of a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import ParameterError
from .pixel_sets import Box, PixelIntervals
from .rules import ImageAxes


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The receptive field of every position of a layer's map, in model-input pixels.

    Attributes:
        layer: the layer's name.
        image: height and width of the model's input.
        axes: the axes of the layer's output that run along the image's height and width;
            None where the field is the whole image.
        virtual: the unclipped boxes of all positions, and of one more row and column.
        trace: computes the boxes of pixels that are really read, clipped at every map on the way.
        reason: why the field is the whole image; "" where it is not.
        since: the first layer or operator that sees the whole image.
    """

    layer: str
    image: tuple[int, int]
    axes: ImageAxes | None = None
    virtual: PixelIntervals | None = None
    trace: Callable[[], PixelIntervals] | None = field(default=None, repr=False)
    reason: str = ""
    since: str = ""

    @property
    def whole(self) -> bool:
        """True if every unit may see the whole image."""
        return self.virtual is None

    def box(self, y: int, x: int) -> Box:
        """Return the receptive field of a position: x0, y0, x1, y1, half-open.

        It is unclipped: where a unit reads padding, the box extends beyond the image, as if all
        maps were continued there. All boxes of a layer have the same size therefore; for chains of
        windows it is that of Araujo et al. 2019.
        """
        if self.virtual is None:
            return 0, 0, self.image[1], self.image[0]
        self._check(y, x)
        return self.virtual.box(y, x)

    def support(self, y: int, x: int) -> Box:
        """Return the hull of the pixels that can change a position: the box inside the image.

        It may be smaller than the clipped box. A window that overhangs the end of a feature map
        reads padding there, whereas the box counts this part as pixels of the image.
        """
        if self._real is None:
            return 0, 0, self.image[1], self.image[0]
        self._check(y, x)
        return self._real.box(y, x)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the box in the middle of the map."""
        y, x = self._middle()
        x0, y0, x1, y1 = self.box(y, x)
        return y1 - y0, x1 - x0

    @property
    def stride(self) -> tuple[int, int] | None:
        """Rows and columns between the boxes of neighbors in the middle; None if whole."""
        if self.virtual is None:
            return None
        # Compare with the neighbor before, or with the virtual one behind a single position.
        y, x = (max(middle, 1) for middle in self._middle())
        x0, y0, _, _ = self.virtual.box(y - 1, x - 1)
        x1, y1, _, _ = self.virtual.box(y, x)
        return y1 - y0, x1 - x0

    @property
    def positions(self) -> tuple[int, int]:
        """Rows and columns of the layer's map; 1, 1 if whole."""
        if self.virtual is None:
            return 1, 1
        return self.virtual.rows - 1, len(self.virtual.start) - self.virtual.rows - 1

    def __str__(self) -> str:
        """Return size and stride: `43×43, every 8`, or `whole image, from avgpool on`."""
        if self.stride is None:
            return f"whole image, from {self.since} on" if self.since else "whole image"
        (h, w), (sy, sx) = self.size, self.stride
        every = f"{sy}" if sy == sx else f"{sy}×{sx}"
        return f"{h}×{w}, every {every}" if sy or sx else f"{h}×{w}"

    @cached_property
    def _real(self) -> PixelIntervals | None:
        return self.trace() if self.trace else None

    def _middle(self) -> tuple[int, int]:
        rows, columns = self.positions
        return rows // 2, columns // 2

    def _check(self, y: int, x: int) -> None:
        rows, columns = self.positions
        if not (0 <= y < rows and 0 <= x < columns):
            raise ParameterError(
                f"position (y, x) = ({y}, {x}) of layer {self.layer!r}: "
                f"its map has {rows} rows and {columns} columns"
            )
