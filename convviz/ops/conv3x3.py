"""A 3 x 3 convolution layer with weights transformed for Winograd's algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from . import winograd


@dataclass(eq=False)
class Conv3x3:
    """A 3 x 3 convolution of stride 1.

    Attributes:
        weights: from `winograd.prepare_weights`.
        bias: `[K]`.
        relu: whether a ReLU follows.
        channels: C, of the input.
        pad_y, pad_x: rows of zeros above and below, and columns at both sides.
    """

    weights: Tensor
    bias: Tensor
    relu: bool
    channels: int
    pad_y: int
    pad_x: int

    def pays(self, height: int, width: int) -> bool:
        """Return whether output windows of this size are faster than by a direct convolution."""
        return winograd.pays(len(self.bias), self.channels, height, width)

    def pays_on(self, maps: Tensor) -> bool:
        """Return whether whole maps `[N, C, H, W]` are faster than by a direct convolution."""
        size = winograd.out_size(maps, (self.pad_y, self.pad_x))
        return maps.dtype == self.weights.dtype and self.pays(*size)

    def windows(
        self, clean: Tensor, changed: Sequence[Tensor], table: Tensor, height: int, width: int
    ) -> Tensor:
        """Return windows of the output; arguments as of `gather_windows`."""
        result: Tensor = winograd.conv3x3_windows(
            clean, list(changed), table, height, width, self.weights, self.bias, self.relu
        )
        return result

    def whole(self, maps: Tensor) -> Tensor:
        """Return whole maps of the output."""
        return winograd.convolve(maps, self.weights, self.bias, self.relu, (self.pad_y, self.pad_x))
