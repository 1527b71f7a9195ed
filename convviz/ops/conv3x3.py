"""A 3 x 3 convolution of a program, its weights transformed for Winograd's algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from . import winograd


@dataclass(eq=False)
class Conv3x3:
    """A 3 x 3 convolution of stride 1.

    Attributes:
        weights: of `winograd.prepare_weights`.
        bias: `[K]`.
        relu: rectify the output.
        channels: C, of the input.
        top, left: pixels of padding above and below, left and right of the map.
    """

    weights: Tensor
    bias: Tensor
    relu: bool
    channels: int
    top: int
    left: int

    def pays(self, height: int, width: int) -> bool:
        """Say whether windows of the output of this size are computed faster than directly."""
        return winograd.pays(len(self.bias), self.channels, height, width)

    def pays_on(self, maps: Tensor) -> bool:
        """Say whether whole maps `[N, C, H, W]` are convolved faster than directly."""
        size = winograd.out_size(maps, (self.top, self.left))
        return maps.dtype == self.weights.dtype and self.pays(*size)

    def windows(
        self, clean: Tensor, changed: Sequence[Tensor], table: Tensor, height: int, width: int
    ) -> Tensor:
        """Return windows of the output, the input read as `ops.gather_windows` reads it."""
        found: Tensor = winograd.conv3x3_windows(
            clean, list(changed), table, height, width, self.weights, self.bias, self.relu
        )
        return found

    def whole(self, maps: Tensor) -> Tensor:
        """Return whole maps of the output."""
        return winograd.convolve(maps, self.weights, self.bias, self.relu, (self.top, self.left))
